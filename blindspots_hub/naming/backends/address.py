"""Where an endpoint is, and the key for it: from the environment, for the host that it is of."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from blindspots_hub.errors import BlindspotsError

KEY = "BLINDSPOTS_API_KEY"
"""Environment variable with the key of an endpoint that is no known one."""

KEYS = {"api.openai.com": "OPENAI_API_KEY"}
"""Hosts whose own variable is read as well."""

HUGGING_FACE = ("router.huggingface.co", "api-inference.huggingface.co")
HUGGING_FACE_ENDPOINTS = ".endpoints.huggingface.cloud"
"""Hosts, and the end of others, that take a token of the Hub."""


def checked_address(source: str) -> str:
    """The base address of a server, or `BlindspotsError`: http or https, without a key in it."""
    try:
        parts = urlsplit(source)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if not plain:
        raise BlindspotsError(
            "The endpoint is no address: give one such as https://HOST/v1, or hf:OWNER/NAME."
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BlindspotsError(
            f"The endpoint's address on {parts.hostname} has more than host and path: a key is "
            f"set in {KEY}."
        )
    if parts.scheme == "http" and key_of(source) is not None and not _near(str(parts.hostname)):
        raise BlindspotsError(
            f"The key would go to {parts.hostname} in the clear: give an address with https."
        )
    return source


def key_of(address: str | None) -> str | None:
    """The key for an address (None: Hugging Face's own), from the environment; None for none."""
    from huggingface_hub import get_token

    host = "" if address is None else str(urlsplit(address).hostname)
    if address is None or host in HUGGING_FACE or host.endswith(HUGGING_FACE_ENDPOINTS):
        return get_token()
    for name in (KEY, KEYS.get(host)):
        if name and (key := os.environ.get(name, "").strip()):
            return key
    return None


def _near(host: str) -> bool:
    """Whether a host is this machine or in the same private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))
