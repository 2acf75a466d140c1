"""What a host's robots.txt says to programs (RFC 9309): read once a host, within bounds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from urllib.robotparser import RobotFileParser

from blindspots_hub.data.fetching.causes import NoFetch
from blindspots_hub.data.fetching.robots import AGENTS
from blindspots_hub.data.fetching.urls import Target, target_of

MAX_BYTES = 256 * 1024
"""Longest robots.txt; of a longer one nothing is read."""

SECONDS = 5.0
"""For asking one host, redirects included."""

_REDIRECTS = 5
_KEPT_BYTES = 16 * 1024 * 1024
_RULES_OF_NONE = 256

Ask = Callable[[Target, int], Awaitable["bytes | Target"]]
"""From an address and the most bytes of its answer to the answer, or to where it redirects."""


class RobotsTxt:
    """The rules of hosts, those of the hosts asked last; one event loop's.

    Only a robots.txt that is there and can be read forbids anything: one that is missing, broken,
    too long or too slow allows all. Rules are read by `urllib.robotparser`, that of this program
    or of tools of its kind, else that for everybody; wildcards within paths are not.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: OrderedDict[str, tuple[RobotFileParser | None, int]] = OrderedDict()
        self._asked: dict[str, asyncio.Task[RobotFileParser | None]] = {}
        self._bytes = 0

    async def check(self, target: Target) -> None:
        """Raise `NoFetch` (robots_txt) where the host's rules forbid this address."""
        origin = f"{target.scheme}://{target.authority}"
        if origin in self._known:
            self._known.move_to_end(origin)
            rules = self._known[origin][0]
        else:
            if origin not in self._asked:
                self._asked[origin] = asyncio.create_task(self._learn(origin))
            # Others wait for the same answer: who is cancelled does not cancel it for them.
            rules = await asyncio.shield(self._asked[origin])
        if rules is not None and not _allows(rules, target.url):
            raise NoFetch("robots_txt", f"{target.host} forbids it in its robots.txt")

    async def _learn(self, origin: str) -> RobotFileParser | None:
        try:
            content = await asyncio.wait_for(self._content(origin), SECONDS)
        except (NoFetch, OSError, EOFError, asyncio.TimeoutError):
            content = b""
        finally:
            del self._asked[origin]
        rules = _rules(content) if content else None
        self._keep(origin, rules, len(content) + _RULES_OF_NONE)
        return rules

    async def _content(self, origin: str) -> bytes:
        target = target_of(f"{origin}/robots.txt")
        for _ in range(_REDIRECTS + 1):
            answer = await self._ask(target, MAX_BYTES)
            if isinstance(answer, bytes):
                return answer
            target = answer
        raise NoFetch("too_many_redirects")

    def _keep(self, origin: str, rules: RobotFileParser | None, size: int) -> None:
        self._known[origin] = rules, size
        self._bytes += size
        while self._bytes > _KEPT_BYTES:
            _, (_, freed) = self._known.popitem(last=False)
            self._bytes -= freed


def _rules(content: bytes) -> RobotFileParser | None:
    rules = RobotFileParser()
    try:
        rules.parse(content.decode("utf-8", "replace").splitlines())
    except ValueError:  # a path that no address can have
        return None
    return rules


def _allows(rules: RobotFileParser, url: str) -> bool:
    try:
        return all(rules.can_fetch(one, url) for one in AGENTS)
    except ValueError:
        return True
