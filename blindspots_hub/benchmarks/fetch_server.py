"""The web that `benchmark fetch` fetches from: images on one port of this machine, in a process.

`python -m blindspots_hub.benchmarks.fetch_server SIDE` prints its port, serves until its input is
closed, and prints the seconds of a core that serving took. Every tenth address is gone.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time

import numpy as np
from PIL import Image

IMAGES = 64


def contents(side: int) -> list[bytes]:
    """JPEG files of `side` pixels, like photographs in size and in the work of decoding them."""
    dice = np.random.default_rng(0)
    found = []
    for _ in range(IMAGES):
        coarse = Image.fromarray(dice.integers(0, 256, (48, 48, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=88)
        found.append(buffer.getvalue())
    return found


class _Answer(asyncio.Protocol):
    answers: list[bytes]
    gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._request = transport, b""

    def data_received(self, data: bytes) -> None:
        self._request += data
        if b"\r\n\r\n" not in self._request or not isinstance(self._transport, asyncio.Transport):
            return
        path = self._request.split(b" ", 2)[1].strip(b"/")
        number = int(path) if path.isdigit() else 9  # no robots.txt
        answer = self.gone if number % 10 == 9 else self.answers[number % IMAGES]
        self._transport.write(answer)
        self._transport.close()


async def _serve(side: int) -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
    _Answer.answers = [head.format(len(one)).encode() + one for one in contents(side)]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answer, "127.0.0.1", 0, backlog=1024)
    started = time.process_time()
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    print(time.process_time() - started, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
