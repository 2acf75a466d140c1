"""The process that `benchmark fetch` measures: fetches and decodes, and tells how far it is."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from blindspots_hub.benchmarks import memory
from blindspots_hub.data.fetching.limits import FetchLimits
from blindspots_hub.data.fetching.many import FromWeb, Web, fetch_images
from blindspots_hub.data.fetching.network import Reach


class _Here:
    """Every name is this machine's."""

    async def addresses(self, host: str, port: int) -> list[str]:
        return ["127.0.0.1"]


def main(order: dict[str, Any]) -> None:
    """Fetch `urls` addresses of `port`, over 500 names of hosts."""
    port, urls = order["port"], order["urls"]
    asked = (f"http://h{i % 500}.test:{port}/{i}" for i in range(urls))
    web = Web(FetchLimits(per_host=8), _Here(), Reach([("127.0.0.1", port)]))
    images, warm, started = 0, 0, time.perf_counter()
    for done, (_, found) in enumerate(fetch_images(asked, web), start=1):
        images += isinstance(found, FromWeb)
        if done == urls // 4 and memory.known():
            warm = memory.peak()
        if done % 100 == 0 or done == urls:
            seconds = time.perf_counter() - started
            told = {"done": done, "images": images, "seconds": seconds, "warm": warm}
            told["peak"] = memory.peak() if memory.known() else 0
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
