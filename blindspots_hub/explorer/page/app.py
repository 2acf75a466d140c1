"""The page as a whole: `build_app` makes it from a bundle, `serve` serves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.listening import AT_ONCE
from blindspots_hub.explorer.page.page import Page, PageOptions
from blindspots_hub.explorer.page.theme import css, theme
from blindspots_hub.explorer.tabs.registry import TABS
from blindspots_hub.serving.deployment import Deployment

HERE = Deployment()
"""One's own machine."""


def build_app(
    bundle: Bundle,
    evaluations_dir: Path,
    known_models: Sequence[tuple[str, str]],
    site: Deployment = HERE,
    note: str = "",
    beside: Sequence[Bundle] = (),
) -> gr.Blocks:
    """The app on `bundle`, and on those `beside` it of its concept space.

    No network is asked for anything, and no torch is imported.

    Evaluations keep their files below `evaluations_dir`; `known_models` are (title, spec) as the
    form offers them. `site` says who may do what (by default: whoever sees the page, everything),
    `note` is a sentence at its top.
    """
    options = PageOptions(evaluations_dir, known_models, site, note)
    with gr.Blocks(title="blindspots", analytics_enabled=False, fill_width=True) as blocks:
        page = Page(Catalog(bundle, beside), options, TABS)
        blocks.load(page.follow_link, page.own, page.outputs, **AT_ONCE)
    return blocks


def serve(
    page: gr.Blocks, host: str = "127.0.0.1", port: int | None = None, block: bool = True
) -> None:
    """Serve `page` until it is stopped; with `block` False return once it answers."""
    page.queue().launch(
        server_name=host,
        server_port=port,
        theme=theme(),
        css=css(),
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        quiet=not block,
        prevent_thread_lock=not block,
    )
