"""`report`: every analysis of a bundle, written as one HTML file that opens without network."""

from __future__ import annotations

from pathlib import Path

from blindspots_hub.analysis.answers import ask
from blindspots_hub.analysis.registry import ANALYSES
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.report.page import html
from blindspots_hub.utils.files import write_bytes


@Call
def report(root: str | Path, out: str | Path = "report.html") -> Work[Path]:
    """Ask a bundle every analysis and write the page `out`; returns its path.

    One HTML file of at most 15 MB, light or dark as the reader's system is, printable, without any
    request to a network. It names what could not be answered, and why. Raises `BlindspotsError`
    where the bundle holds no model.
    """
    bundle = load_bundle(root)
    if not bundle.models:
        raise BlindspotsError(f"{bundle.name} holds no model: evaluate one first.")
    answers = []
    for done, one in enumerate(ANALYSES):
        yield Event("analyse", done, len(ANALYSES), {"analysis": one.name})
        answers.append(ask(bundle, one.name))
    yield Event("write the report", 0, 1)
    path = Path(out).expanduser()
    if path.is_dir():
        path /= "report.html"
    write_bytes(path, html(bundle, answers).encode())
    yield Event("write the report", 1, 1)
    return path
