"""The processes of `benchmark page`: one makes the bundle, one serves it until it is ended."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Do what the argument, a JSON object, orders."""
    order = json.loads(sys.argv[1])
    if "make" in order:
        from blindspots_hub.benchmarks.page_world import made

        for event in made(Path(order["make"]), *order["sizes"]):
            print(json.dumps({"done": event.done, "total": event.total}), flush=True)
        return
    from blindspots_hub.explorer.page.app import build_app, serve
    from blindspots_hub.serving.opening import open_first

    bundle, _ = open_first(order["serve"], Path(order["evaluations"]), Path(order["serve"]))
    serve(build_app(bundle, Path(order["evaluations"]), []), port=order["port"])


if __name__ == "__main__":
    main()
