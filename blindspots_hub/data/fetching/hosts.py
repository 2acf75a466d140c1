"""Manners towards hosts: few connections each, and a pause where one asks for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime


@dataclass
class _Host:
    slots: asyncio.Semaphore
    users: int = 0
    not_before: float = field(default=0.0)


class Hosts:
    """Connections at once, in all and to each host; hosts that nobody uses are forgotten."""

    def __init__(self, connections: int, per_host: int) -> None:
        self._all = asyncio.Semaphore(connections)
        self._per_host = per_host
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def connection(self, origin: str) -> AsyncIterator[None]:
        """Wait for a free connection to `origin` and hold it while the block lasts."""
        host = self._hosts.setdefault(origin, _Host(asyncio.Semaphore(self._per_host)))
        host.users += 1
        try:
            async with host.slots:
                while (pause := host.not_before - time.monotonic()) > 0:
                    await asyncio.sleep(pause)
                async with self._all:
                    yield
        finally:
            host.users -= 1
            if not host.users and host.not_before <= time.monotonic():
                self._hosts.pop(origin, None)

    def pause(self, origin: str, seconds: float) -> None:
        """Begin nothing more with `origin` for so long."""
        host = self._hosts.setdefault(origin, _Host(asyncio.Semaphore(self._per_host)))
        host.not_before = max(host.not_before, time.monotonic() + seconds)

    def __len__(self) -> int:
        return len(self._hosts)


def retry_after(value: bytes | None) -> float | None:
    """Seconds that a `Retry-After` header asks for, in numbers or as a date; None if unclear."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()[:64]
    if text.isdigit():
        return float(min(int(text), 10**9))
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
