"""The process that `benchmark fetch` measures: fetches and decodes, and tells how far it is.

Before and after, the same images are decoded and hashed as they lie in memory, on all cores: this
machine's own floor, at the speed that it has just then.
"""

from __future__ import annotations

import io
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

from PIL import Image

from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.fetch_server import contents
from blindspots_hub.data.fetching.limits import FetchLimits
from blindspots_hub.data.fetching.many import FromWeb, Web, fetch_images
from blindspots_hub.data.fetching.network import Reach
from blindspots_hub.utils.cores import cores

_FLOOR_SECONDS = 3.0


class _Here:
    """Every name is this machine's."""

    async def addresses(self, host: str, port: int) -> list[str]:
        return ["127.0.0.1"]


def main(order: dict[str, Any]) -> None:
    """Fetch `urls` addresses of `port`, over 500 names of hosts; `side` is the images'."""
    port, urls = order["port"], order["urls"]
    asked = (f"http://h{i % 500}.test:{port}/{i}" for i in range(urls))
    web = Web(FetchLimits(per_host=8), _Here(), Reach([("127.0.0.1", port)]))
    alone = contents(order["side"])
    floor = [_floor(alone)]
    images, warm = 0, 0
    used, started = time.process_time(), time.perf_counter()
    told: dict[str, Any] = {}
    for done, (_, found) in enumerate(fetch_images(asked, web), start=1):
        images += isinstance(found, FromWeb)
        if done == urls // 4 and memory.known():
            warm = memory.peak()
        if done % 100 == 0 or done == urls:
            told = {"done": done, "images": images, "seconds": time.perf_counter() - started}
            told |= {"used": time.process_time() - used, "warm": warm}
            told["peak"] = memory.peak() if memory.known() else 0
            print(json.dumps(told), flush=True)
    floor.append(_floor(alone))
    print(json.dumps({**told, "floor": sum(floor) / len(floor)}), flush=True)


def _floor(images: list[bytes]) -> float:
    """Images a second that are decoded whole and hashed, and nothing else, on all cores."""

    def alone(content: bytes) -> None:
        Image.open(io.BytesIO(content)).convert("RGB")
        sha256(content).hexdigest()

    done, started = 0, time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        while (seconds := time.perf_counter() - started) < _FLOOR_SECONDS:
            done += len(list(pool.map(alone, images)))
    return done / seconds


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
