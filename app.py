"""The explorer: `python app.py [--bundle BUNDLE] [--bundle …]`. The same file runs on a Space."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns of a torchvision nobody needs

from blindspots_hub.runs import gpu_work  # noqa: F401, I001 - first: ZeroGPU wants it before any torch
from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.generation.models import REGISTRY
from blindspots_hub.explorer.page.catalog import OPEN
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted.redraw import Redraw
from blindspots_hub.serving.gradio_import import lighten
from blindspots_hub.serving.opening import evaluations_folder, open_beside, open_first, read_ahead
from blindspots_hub.serving.deployment import Deployment
from blindspots_hub.utils.terminal import show_anything


_log = logging.getLogger(__name__)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bundle",
        action="append",
        default=[],
        help="folder of a bundle, or NAMESPACE/NAME[@VERSION]; may be repeated for bundles of one "
        "concept space",
    )
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, help="default: the first free one from 7860 on")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that the page is reached by besides this machine's own, as behind a proxy; "
        "may be repeated (or BLINDSPOTS_HOSTS, separated by commas)",
    )
    parser.add_argument(
        "--mcp",
        action="store_true",
        help="be an MCP server too, at /gradio_api/mcp/: the page's questions are its tools "
        "(always so on a Space)",
    )
    parser.add_argument(
        "--evaluations",
        type=Path,
        default=evaluations_folder(os.environ),
        help="folder in which evaluations keep their files",
    )
    return parser.parse_args()


def main() -> int:
    """Serve the page until it is stopped; 2 where the user has to mend something."""
    show_anything(sys.stdout, sys.stderr)
    asked = arguments()
    try:
        first, *others = asked.bundle or [None]
        bundle, note = open_first(first, Path(__file__).parent, planted.BUNDLE)
        beside, left_out = open_beside(bundle, others)
    except BlindspotsError as error:
        print(error, file=sys.stderr)
        return 2
    site, redraw = Deployment.of(os.environ), Redraw()
    mcp = asked.mcp or (site.public and find_spec("mcp") is not None)
    lighten(mcp)
    reading = read_ahead(bundle, OPEN)
    from blindspots_hub.explorer.page.app import build_app, serve

    known = [(title, f"planted/{name}") for name, title in planted.TITLES.items()]
    known += [(model.title, name) for name, model in REGISTRY.items()]
    note = " ".join(filter(None, (note, left_out)))
    reading.join()
    try:
        page = build_app(bundle, asked.evaluations, known, site, note, beside, redraw)
    except Exception as error:  # whatever a bundle holds, the page starts
        _log.exception("The page of %s cannot be built.", bundle.root)
        note = f"You see the embedded example: {bundle.name} cannot be shown ({error})."
        page = build_app(
            load_bundle(planted.BUNDLE), asked.evaluations, known, site, note, (), redraw
        )
    try:
        serve(page, asked.host, asked.port, hosts=asked.allow_host, mcp=mcp)
    except BlindspotsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
