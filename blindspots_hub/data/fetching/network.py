"""Connections to public addresses only: the address that is connected to is the one checked."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from blindspots_hub.data.fetching.addresses import is_public, plain
from blindspots_hub.data.fetching.causes import NoFetch

LOOKUPS = 32
"""Names that are looked up at once: a slow resolver holds a thread each."""

REMEMBERED = 60.0
"""Seconds that the addresses of a name are remembered."""

_NAMES = 10_000
_BUFFER = 256 * 1024
_ADDRESSES = 4
"""Addresses of a name that are tried."""


class Resolver(Protocol):
    """Looks up names."""

    async def addresses(self, host: str, port: int) -> list[str]:
        """Addresses of `host` as numbers; `OSError` where it has none."""


class SystemResolver:
    """The machine's own look-up, in threads, remembered for `REMEMBERED` seconds."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="look-up")
        self._known: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()

    async def addresses(self, host: str, port: int) -> list[str]:
        """As `Resolver` says."""
        known = self._known.get(host)
        if known is None or known[0] < time.monotonic():
            found = await asyncio.get_running_loop().run_in_executor(
                self._threads, _look_up, host, port
            )
            known = (time.monotonic() + REMEMBERED, found)
            self._known[host] = known
            if len(self._known) > _NAMES:
                self._known.popitem(last=False)
        if not known[1]:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} has no address")
        return known[1]


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise
        return []
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Reach:
    """Which addresses and ports may be connected to: public ones, of the web.

    `also` are (address, port) that are allowed besides, for a server of one's own on this machine;
    only a program can name them.
    """

    def __init__(self, also: Iterable[tuple[str, int]] = ()) -> None:
        self._also = frozenset(also)

    def allows(self, address: str, port: int) -> bool:
        """Whether this connection may be made."""
        # Ports below 1024 other than the web's are those of mail, files, terminals.
        web = port in (80, 443) or port >= 1024
        return (address, port) in self._also or (web and is_public(address))


class CheckedNetwork:
    """Looks names up itself and connects to what it has checked.

    A name is looked up once a connection and the connection is made to the numbers, so that a name
    that changes meanwhile leads nowhere else; where one of a name's addresses is not public the
    name is refused altogether.
    """

    def __init__(self, resolver: Resolver, reach: Reach) -> None:
        self._resolver, self._reach = resolver, reach

    async def connect(
        self, host: str, port: int, tls: ssl.SSLContext | None, seconds: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection, within `seconds` each for looking up and connecting, TLS included.

        Raises `NoFetch` (forbidden_address, name_unknown), or the system's `OSError`.
        """
        try:
            found = await asyncio.wait_for(self._resolver.addresses(host, port), seconds)
        except socket.gaierror as error:
            passing = error.errno == socket.EAI_AGAIN
            raise NoFetch("name_unknown", f"{host} is not known", passing=passing) from error
        except (asyncio.TimeoutError, UnicodeError) as error:
            raise NoFetch("name_unknown", f"{host} was not found in time") from error
        for address in found:
            if not self._reach.allows(_plain(address), port):
                raise NoFetch("forbidden_address", f"{host} is {address}, port {port}")
        last: Exception | None = None
        for address in found[:_ADDRESSES]:
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(
                        _plain(address),
                        port,
                        ssl=tls,
                        server_hostname=host if tls is not None else None,
                        limit=_BUFFER,
                    ),
                    seconds,
                )
            except ssl.SSLError:
                raise
            except (OSError, asyncio.TimeoutError) as error:
                last = error
                continue
            peer = writer.get_extra_info("peername")
            if not peer or not self._reach.allows(_plain(str(peer[0])), int(peer[1])):
                writer.transport.abort()
                raise NoFetch("forbidden_address", f"{host} led to {peer}")
            return reader, writer
        raise last or NoFetch("name_unknown", f"{host} has no address")


def _plain(address: str) -> str:
    try:
        return plain(address)
    except ValueError:  # with the name of a network card, or no address: never allowed
        return address
