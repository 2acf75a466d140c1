"""One address fetched: redirects checked one by one, within bounds of bytes and time."""

from __future__ import annotations

import asyncio
import random
import ssl
from dataclasses import dataclass

import certifi

from blindspots_hub.data.fetching.body import read_body
from blindspots_hub.data.fetching.causes import NoFetch, NotFetched
from blindspots_hub.data.fetching.connection import Connection, Response
from blindspots_hub.data.fetching.hosts import Hosts, retry_after
from blindspots_hub.data.fetching.limits import FetchLimits
from blindspots_hub.data.fetching.network import CheckedNetwork, Reach, Resolver, SystemResolver
from blindspots_hub.data.fetching.robots import AGENT, opted_out
from blindspots_hub.data.fetching.robots_txt import RobotsTxt
from blindspots_hub.data.fetching.urls import Target, redirected, target_of

_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)

_HEADERS = [
    (b"User-Agent", f"Mozilla/5.0 (compatible; {AGENT})".encode()),
    (b"Accept", b"image/avif,image/webp,image/png,image/jpeg,image/gif,image/bmp,*/*;q=0.1"),
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"close"),
]


@dataclass(frozen=True)
class Fetched:
    """A file, the address that it came from in the end, and how many tries that took."""

    content: bytes
    url: str
    redirects: int
    tries: int


class Fetcher:
    """Fetches addresses in one event loop; make it where that loop runs.

    Nothing of the machine's own goes along: no cookies, referrer, credentials or proxies, and every
    request has a connection of its own.
    """

    def __init__(
        self,
        limits: FetchLimits | None = None,
        resolver: Resolver | None = None,
        reach: Reach | None = None,
    ) -> None:
        self.limits = limits or FetchLimits()
        self._network = CheckedNetwork(resolver or SystemResolver(), reach or Reach())
        self._hosts = Hosts(self.limits.connections, self.limits.per_host)
        self._robots = RobotsTxt(self._ask) if self.limits.robots_txt else None
        self._tls = ssl.create_default_context(cafile=certifi.where())

    async def fetch(self, url: object) -> Fetched | NotFetched:
        """The file at `url`, or why there is none; never raises for what a server does."""
        tries = 0
        while True:
            tries += 1
            try:
                content, target, redirects = await self._attempt(target_of(url))
                return Fetched(content, target.url, redirects, tries)
            except NoFetch as error:
                wait = self._wait(error, tries)
                if wait is None:
                    return NotFetched(error.cause, error.told, error.status, tries)
            await asyncio.sleep(wait)

    def _wait(self, error: NoFetch, tries: int) -> float | None:
        """Seconds before a new try, None where there is none."""
        if not error.passing or tries >= self.limits.tries:
            return None
        asked = error.retry_after or 0.0
        if asked > self.limits.longest_wait:
            return None
        backed_off = self.limits.wait_seconds * 2 ** (tries - 1) * (0.5 + random.random())
        return float(max(asked, backed_off))

    async def _attempt(self, target: Target) -> tuple[bytes, Target, int]:
        for redirects in range(self.limits.redirects + 1):
            if self._robots is not None:
                await self._robots.check(target)
            async with self._hosts.connection(target.origin):
                answer = await self._bounded(target)
            if isinstance(answer, bytes):
                return answer, target, redirects
            target = answer
        raise NoFetch("too_many_redirects", f"more than {self.limits.redirects}")

    async def _bounded(self, target: Target) -> bytes | Target:
        try:
            return await asyncio.wait_for(
                self._request(target, self.limits.max_bytes), self.limits.total_seconds
            )
        except NoFetch as error:
            asked = error.retry_after
            if asked is not None and asked <= self.limits.longest_wait:  # else it is given up
                self._hosts.pause(target.origin, asked)
            raise
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise NoFetch("timed_out", "no answer in time", passing=True) from error
        except ssl.SSLError as error:
            raise NoFetch("tls_failed", str(error)) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise NoFetch("connection_failed", str(error), passing=True) from error

    async def _ask(self, target: Target, most: int) -> bytes | Target:
        """One request among the others of that host, for `RobotsTxt`."""
        async with self._hosts.connection(target.origin):
            return await self._request(target, most)

    async def _request(self, target: Target, most: int) -> bytes | Target:
        limits = self.limits
        async with Connection(
            target, self._network, self._tls, limits.connect_seconds, limits.read_seconds
        ) as connection:
            response = await connection.get(_HEADERS)
            self._check(response)
            if response.status in _REDIRECTS:
                location = response.header(b"location")
                if not location:
                    raise NoFetch("bad_redirect", "no Location", status=response.status)
                return redirected(target, location.decode("utf-8", "replace"))
            return await read_body(response.body(), response.headers, most)

    def _check(self, response: Response) -> None:
        """Refuse an answer by its status and headers."""
        if len(response.headers) > self.limits.headers:
            raise NoFetch("bad_response", f"{len(response.headers)} headers")
        if word := opted_out(response.headers, self.limits.opt_outs):
            raise NoFetch("opted_out", f"X-Robots-Tag: {word}", status=response.status)
        status = response.status
        if status == 206:
            raise NoFetch("partial_content", "part of a file, unasked", status=status)
        if status != 200 and status not in _REDIRECTS:
            raise NoFetch(
                "http_error",
                f"HTTP {status}",
                status=status,
                passing=status in _PASSING,
                retry_after=retry_after(response.header(b"retry-after")),
            )
