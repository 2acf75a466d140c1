"""Many addresses at once, in a thread with an event loop; images come out as they are done."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from blindspots_hub.data.fetching.causes import NoFetch, NotFetched
from blindspots_hub.data.fetching.fetcher import Fetcher
from blindspots_hub.data.fetching.limits import FetchLimits
from blindspots_hub.data.fetching.looked_at import LookedAt, look_at
from blindspots_hub.data.fetching.network import Reach, Resolver
from blindspots_hub.utils.cores import cores

_TAKEN = 64
"""Addresses that are taken from their source at once."""


@dataclass(frozen=True)
class FromWeb:
    """An image that an address gave."""

    image: LookedAt
    url: str
    redirects: int
    tries: int

    @property
    def bytes(self) -> int:
        """Of the file."""
        return self.image.bytes


@dataclass(frozen=True)
class Web:
    """How addresses are fetched: within which limits, and in which network.

    `resolver` and `reach` are the public internet's unless a program says otherwise.
    """

    limits: FetchLimits = field(default_factory=FetchLimits)
    resolver: Resolver | None = None
    reach: Reach | None = None


def fetch_images(
    urls: Iterable[object], web: Web | None = None
) -> Generator[tuple[int, FromWeb | NotFetched], None, None]:
    """Fetch every address; its place in `urls` and what became of it, as they are done.

    `urls` is read as it is needed and may be endless: whoever stops iterating stops it. At most
    `limits.in_flight` addresses are under way, and none further than `limits.ahead` behind the
    first that is not done.
    """
    web = web or Web()
    done: queue.SimpleQueue[tuple[int, FromWeb | NotFetched] | BaseException | None] = (
        queue.SimpleQueue()
    )
    running = _Running(iter(urls), web, done.put, done.qsize)
    thread = threading.Thread(target=running.run, name="fetch-images", daemon=True)
    thread.start()
    try:
        while (one := done.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one
    finally:
        running.stop()
        thread.join()


class _Running:
    """The event loop's side of `fetch_images`."""

    def __init__(
        self,
        urls: Iterator[object],
        web: Web,
        put: Callable[[tuple[int, FromWeb | NotFetched] | BaseException | None], None],
        waiting: Callable[[], int],
    ) -> None:
        self._urls, self._web, self._put, self._waiting = urls, web, put, waiting
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = threading.Event()
        self._begun: set[int] = set()
        self._looking = ThreadPoolExecutor(max(2, min(cores(), 8)), thread_name_prefix="look-at")

    def run(self) -> None:
        """The thread."""
        try:
            asyncio.run(self._main())
            self._put(None)
        except asyncio.CancelledError:
            self._put(None)
        except BaseException as error:  # told where the images are waited for
            self._put(error)
        finally:
            self._looking.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """End it soon; from another thread."""
        self._stopped.set()
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # it has ended
                return

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        limits = self._web.limits
        fetcher = Fetcher(limits, self._web.resolver, self._web.reach)
        feed: asyncio.Queue[tuple[int, object] | None] = asyncio.Queue(limits.in_flight)
        workers = [asyncio.create_task(self._work(feed, fetcher)) for _ in range(limits.in_flight)]
        feeding = asyncio.create_task(self._feed(feed, len(workers)))
        try:
            await asyncio.gather(feeding, *workers)
        finally:
            for task in (feeding, *workers):
                task.cancel()
            await asyncio.gather(feeding, *workers, return_exceptions=True)

    async def _feed(self, feed: asyncio.Queue[tuple[int, object] | None], workers: int) -> None:
        loop, place = asyncio.get_running_loop(), 0
        while not self._stopped.is_set():
            taken = await loop.run_in_executor(None, lambda: list(islice(self._urls, _TAKEN)))
            for url in taken:
                while self._too_far(place):
                    await asyncio.sleep(0.01)
                self._begun.add(place)
                await feed.put((place, url))
                place += 1
            if len(taken) < _TAKEN:
                break
        for _ in range(workers):
            await feed.put(None)

    def _too_far(self, place: int) -> bool:
        """Whether to wait: nobody takes what is done, or an early one is still under way."""
        limits = self._web.limits
        return self._waiting() > limits.in_flight or (
            bool(self._begun) and place - min(self._begun) >= limits.ahead
        )

    async def _work(self, feed: asyncio.Queue[tuple[int, object] | None], fetcher: Fetcher) -> None:
        while (taken := await feed.get()) is not None:
            place, url = taken
            found = await self._image(url, fetcher)
            self._begun.discard(place)
            self._put((place, found))

    async def _image(self, url: object, fetcher: Fetcher) -> FromWeb | NotFetched:
        got = await fetcher.fetch(url)
        if isinstance(got, NotFetched):
            return got
        loop = asyncio.get_running_loop()
        try:
            image = await loop.run_in_executor(
                self._looking, look_at, got.content, self._web.limits
            )
        except NoFetch as error:
            return NotFetched(error.cause, error.told, 200, got.tries)
        return FromWeb(image, got.url, got.redirects, got.tries)
