"""The processes of `benchmark analyses`: one makes the bundle, one each asks an analysis."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from blindspots_hub.analysis.answers import ask
from blindspots_hub.analysis.concept_map import codes_map
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.analyses_world import made

CODES_MAP = "UMAP of codes"
"""What is measured besides analyses."""


def main() -> None:
    """Do what the argument, a JSON object, orders, and print what was found."""
    order = json.loads(sys.argv[1])
    root = Path(order["root"])
    if "name" not in order:
        for event in made(root, *order["sizes"]):
            print(json.dumps({"done": event.done, "total": event.total}), flush=True)
        return
    started = time.perf_counter()
    if order["name"] == CODES_MAP:
        energies = Bundle(root).energies(NATURAL)
        answers = len(codes_map(energies, np.flatnonzero(energies.fires)))
    else:
        answers = len(ask(Bundle(root), order["name"]).findings)
    seconds = time.perf_counter() - started
    peak = memory.peak() if memory.known() else 0
    print(json.dumps({"seconds": seconds, "peak": peak, "answers": answers}), flush=True)


if __name__ == "__main__":
    main()
