"""Addresses as people write them, taken apart: http and https, nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from blindspots_hub.data.fetching.causes import NoFetch

LONGEST = 8_192
"""Characters of the longest address."""

_PORTS = {"http": 80, "https": 443}
_SAFE = "/%:@!$&'()*+,;=~-._?[]|"
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252})")


@dataclass(frozen=True)
class Target:
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """What limits of a host hold for."""
        return f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self.authority}{self.path}"


def target_of(url: object) -> Target:
    """Take an address apart, or raise `NoFetch` (bad_url).

    Names of hosts are put into ASCII (IDNA), paths are percent-encoded where they must be, and
    fragments dropped. Addresses with a user's name or password are refused.
    """
    if not isinstance(url, str) or not url.strip():
        raise NoFetch("bad_url", "no address")
    text = url.strip()
    if len(text) > LONGEST:
        raise NoFetch("bad_url", f"an address of {len(text):,} characters")
    if any((ord(sign) < 33 and sign != " ") or ord(sign) == 127 for sign in text):
        raise NoFetch("bad_url", "control characters")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise NoFetch("bad_url", str(error)) from error
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise NoFetch("bad_url", f"{scheme[:20] or 'no scheme'} is not http or https")
    if parts.username is not None or parts.password is not None:
        raise NoFetch("bad_url", "a user's name or password in it")
    if port == 0:
        raise NoFetch("bad_url", "port 0")
    host = host if ":" in host else _ascii(host)
    path = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_SAFE)
    return Target(scheme, host, port or _PORTS[scheme], path)


def redirected(origin: Target, location: str) -> Target:
    """Where a redirect leads; raises `NoFetch` (bad_redirect) where that is no http(s) address."""
    try:
        return target_of(urljoin(origin.url, location.strip()))
    except (NoFetch, ValueError) as error:
        raise NoFetch("bad_redirect", str(error)) from error


def _ascii(host: str) -> str:
    host = host.rstrip(".").lower()
    try:
        if not host.isascii():
            host = host.encode("idna").decode()
    except UnicodeError as error:
        raise NoFetch("bad_url", "a name of a host that cannot be") from error
    if not _HOST.fullmatch(host) or ".." in host:
        raise NoFetch("bad_url", f"no name of a host: {host[:60]!r}")
    return host
