"""Whether a token may publish in a namespace, asked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blindspots_hub.errors import BlindspotsError


def check_rights(user: Mapping[str, Any], namespace: str) -> None:
    """`BlindspotsError` where the Hub's description of a token's owner rules writing out.

    A fine-grained token does not say all that it may: what it may not, the Hub tells on writing.
    """
    name = str(user.get("name"))
    token = (user.get("auth") or {}).get("accessToken") or {}
    if token.get("role") == "read":
        raise BlindspotsError(
            f"The token of {name} may only read: make one that may write at "
            "https://huggingface.co/settings/tokens."
        )
    roles = {org.get("name"): org.get("roleInOrg") for org in user.get("orgs") or ()}
    if namespace != name and namespace not in roles:
        raise BlindspotsError(
            f"{name} is not {namespace} and no member of it: publish under your own name, or "
            "propose pull requests (--create-pr) to repositories that are there."
        )
    if roles.get(namespace) == "read":
        raise BlindspotsError(
            f"{name} may only read in {namespace}: ask its owner for the right to write, or "
            "propose pull requests (--create-pr)."
        )
