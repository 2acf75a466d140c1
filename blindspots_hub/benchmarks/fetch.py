"""`benchmark fetch`: images a second from the web, where this machine is the limit and not the web.

A server on loopback, in a process of its own, gives JPEG files of 512×512; another process fetches,
checks, decodes and hashes them, as sampling does. Both share the machine's cores. Machines differ,
and one wobbles with its neighbours: beside the absolute goal stands the share of what its cores
reach when they decode and hash the same images and do nothing else, in the same run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.harness import (
    Report,
    Row,
    at_least,
    at_most,
    this_machine,
    unmeasured,
)
from blindspots_hub.progress import Event, Work

RATE, SHARE, GROWTH = 300.0, 0.4, 1.1
"""Images a second on two cores; the same over this machine's own floor; peak memory of the whole
run over that of its first quarter."""

WORKER = "blindspots_hub.benchmarks.fetch_worker"
SERVER = "blindspots_hub.benchmarks.fetch_server"
STAGE = "fetch images"


@dataclass(frozen=True)
class Sizes:
    """Addresses that are fetched, and the images' side in pixels."""

    urls: int
    side: int = 512


FULL, QUICK = Sizes(20_000), Sizes(400, 128)


def running(sizes: Sizes = FULL) -> Work[Report]:
    """Fetch `sizes.urls` addresses and measure rate and memory; only FULL is judged."""
    judged, rows = sizes == FULL, list[Row]()
    told: dict[str, float] = {}
    yield Event(STAGE, 0, sizes.urls)
    try:
        with _server(sizes.side) as (port, close):
            order = {"port": port, "urls": sizes.urls, "side": sizes.side}
            for told in memory.in_own_process(WORKER, order):
                yield Event(STAGE, int(told["done"]), sizes.urls)
            served = close()
        rate = told["images"] / told["seconds"]
        rows.append(at_least("images fetched and decoded", rate, RATE, "/s", judged=judged, **told))
        name = f"share of {told['floor']:.0f}/s, at which the cores only decode and hash them"
        rows.append(at_least(name, rate / told["floor"], SHARE, "", judged=judged))
        for what, used in (("fetching", told["used"]), ("the server", served)):
            each, share = 1e3 * used / told["images"], used / told["seconds"]
            rows.append(unmeasured(what, f"{each:.2f} ms an image, {share:.2f} cores", "told"))
        if told["warm"]:
            growth = told["peak"] / told["warm"]
            name = f"peak memory of {sizes.urls:,} addresses, over that of the first quarter"
            rows.append(at_most(name, growth, GROWTH, " ×", judged=judged))
        else:
            rows.append(unmeasured("memory", "this system does not tell", f"≤ {GROWTH} ×"))
    except memory.Failed as failed:
        rows.append(Row("images fetched and decoded", f"failed: {failed}", "an answer", "missed"))
    return Report(this_machine(), rows, quick=not judged)


@contextmanager
def _server(side: int) -> Iterator[tuple[int, Callable[[], float]]]:
    """The port of a server that ends with the block, and what ends it and tells its seconds."""
    command = [sys.executable, "-m", SERVER, str(side)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def close() -> float:
            stdin.close()
            return float(stdout.readline())

        try:
            yield int(stdout.readline()), close
        finally:
            stdin.close()
