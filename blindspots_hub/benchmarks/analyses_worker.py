"""The processes of `benchmark analyses`: one makes the bundle, one each asks an analysis."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from blindspots_hub.analysis.answers import ask
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.analyses_world import made


def main() -> None:
    """Do what the argument, a JSON object, orders, and print what was found."""
    order = json.loads(sys.argv[1])
    root = Path(order["root"])
    if "name" not in order:
        for event in made(root, *order["sizes"]):
            print(json.dumps({"done": event.done, "total": event.total}), flush=True)
        return
    started = time.perf_counter()
    answers = ask(Bundle(root), order["name"])
    seconds = time.perf_counter() - started
    peak = memory.peak() if memory.known() else 0
    told = {"seconds": seconds, "peak": peak, "answers": len(answers.findings)}
    print(json.dumps({**told, "left_out": list(answers.left_out)}), flush=True)


if __name__ == "__main__":
    main()
