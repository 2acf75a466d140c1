"""A bundle in a notebook: what it shows of itself, and the page beside it."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blindspots_hub.artifacts.bundle import Bundle

_shown: dict[tuple[str, int | None], str] = {}
"""Addresses of the pages that this process serves, by bundle and port."""


def bundle_html(bundle: Bundle) -> str:
    """The bundle as a table of its models, with what was judged and found, as HTML."""
    from blindspots_hub.analysis.deltas import KINDS, ModelDeltas

    rows = []
    for name, entry in bundle.models.items():
        reading = ModelDeltas.of(bundle.deltas(name), KINDS[0])
        counts = reading.counts
        rows.append(
            f"<tr><td>{escape(name)}</td><td>{escape(entry.title)}</td><td>{entry.pairs:,}</td>"
            f"<td>{int(reading.determined.sum()):,}</td><td>{counts['suppressed']}</td>"
            f"<td>{counts['exaggerated']}</td></tr>"
        )
    head = ("model", "title", "pairs", "judged", "suppressed", "exaggerated")
    table = (
        f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
        if rows
        else "<p>No model yet.</p>"
    )
    return (
        f"<p><b>{escape(bundle.name)}</b> {escape(bundle.version)}: {bundle.n_concepts:,} "
        f"concepts, by relative δ</p>{table}"
    )


def show(bundle: Bundle, port: int | None = None, evaluations: Path | None = None) -> str:
    """Serve the page of `bundle` on 127.0.0.1 beside what runs here, and return its address.

    `port` is by default the first free one from 7860 on; `evaluations` is the folder that the
    page's evaluations keep their files in. The page goes when the process does; asked again it is
    the same. Needs the extra `app`; a port that is taken is a `BlindspotsError`.
    """
    known = (bundle.sha256, port)
    if known in _shown:
        return _shown[known]
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    from blindspots_hub.errors import BlindspotsError

    try:
        from blindspots_hub.explorer.page.app import build_app, serve
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise BlindspotsError(
            "The page needs gradio: pip install 'blindspots-hub[app]'."
        ) from error
    from blindspots_hub.generation.models import REGISTRY
    from blindspots_hub.serving.opening import evaluations_folder

    models = [(model.title, name) for name, model in REGISTRY.items()]
    page = build_app(bundle, evaluations or evaluations_folder(os.environ), models)
    serve(page, port=port, block=False)
    address = str(page.local_url)
    _shown[known] = address
    return address
