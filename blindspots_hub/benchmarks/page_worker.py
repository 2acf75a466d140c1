"""The process of `benchmark page` that makes the bundle."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from blindspots_hub.benchmarks.page_world import made


def main() -> None:
    """Do what the argument, a JSON object, orders."""
    order = json.loads(sys.argv[1])
    for event in made(Path(order["make"]), *order["sizes"]):
        print(json.dumps({"done": event.done, "total": event.total}), flush=True)


if __name__ == "__main__":
    main()
