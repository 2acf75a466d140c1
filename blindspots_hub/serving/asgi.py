"""What the page's middleware shares: the types of ASGI 3, and the path that a request reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def below_root(scope: Scope, path: str) -> str:
    """A request's `path` without the one that a proxy serves the page below."""
    return path.removeprefix(str(scope.get("root_path", "")).rstrip("/"))


def path_read(scope: Scope) -> str | None:
    """The path of a request that reads (GET), below the root; None for every other request."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    return below_root(scope, str(scope.get("path", "")))
