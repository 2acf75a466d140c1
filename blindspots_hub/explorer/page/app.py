"""The page as a whole: `build_app` makes it from a bundle, `serve` serves it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from errno import EACCES, EADDRINUSE
from importlib.util import find_spec
from pathlib import Path

import gradio as gr
from gradio.utils import get_space

from blindspots_hub.artifacts.bundle import Bundle, Redraw
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.addressed import Addressed, AnswerServer
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.listening import AT_ONCE
from blindspots_hub.explorer.page.page import Page, PageOptions
from blindspots_hub.explorer.page.picture_server import PictureServer
from blindspots_hub.explorer.page.theme import css, theme
from blindspots_hub.explorer.programs.endpoints import add_endpoints
from blindspots_hub.explorer.programs.mcp_answers import answer_in_json
from blindspots_hub.explorer.tabs.evaluate import EvaluateTab
from blindspots_hub.explorer.tabs.evaluate_parts.one_at_a_time import SLOT
from blindspots_hub.explorer.tabs.explore import ExploreTab
from blindspots_hub.explorer.tabs.registry import TABS
from blindspots_hub.serving.assets import ROUTE, Assets
from blindspots_hub.serving.deployment import Deployment
from blindspots_hub.serving.first_page import FirstPage, ask_ahead, hint_script
from blindspots_hub.serving.gradio_scripts import first_scripts
from blindspots_hub.serving.guard import MOST_BODY, OWN_BODY, Door, Guard
from blindspots_hub.serving.queueing import limit_queue, quiet_faults

HERE = Deployment()
"""One's own machine."""

CACHE_SECONDS = 24 * 3600
"""How long a file to download stays."""

MOST_WAITING = 200
"""Requests of all visitors that wait at once."""

SESSIONS = 300
"""Visitors whose view is remembered; the one who was longest away begins anew."""


def build_app(
    bundle: Bundle,
    evaluations_dir: Path,
    known_models: Sequence[tuple[str, str]],
    site: Deployment = HERE,
    note: str = "",
    beside: Sequence[Bundle] = (),
    redraw: Redraw | None = None,
) -> PageBlocks:
    """The app on `bundle`, and on those `beside` it of its concept space.

    No network is asked for anything, and no torch is imported.

    Evaluations keep their files below `evaluations_dir`; `known_models` are (title, spec) as the
    form offers them. `site` says who may do what (by default: whoever sees the page, everything),
    `note` is a sentence at its top, `redraw` draws the images again that bundles do not hold.
    """
    options = PageOptions(evaluations_dir, known_models, site, note)
    with PageBlocks(
        title="blindspots",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(CACHE_SECONDS // 24, CACHE_SECONDS),
    ) as blocks:
        blocks.catalog = Catalog(bundle, beside, redraw, site.public)
        page = Page(blocks.catalog, options, TABS)
        blocks.load(page.follow_link, page.own, [*page.outputs, page.own], **AT_ONCE)
        explore, evaluate = page.tabs[ExploreTab.id], page.tabs[EvaluateTab.id]
        assert isinstance(explore, ExploreTab)
        assert isinstance(evaluate, EvaluateTab)
        blocks.answers = {
            name: answer for tab in page.tabs.values() for name, answer in tab.addressed().items()
        }
        blocks.first = explore.first_addresses()
    add_endpoints(blocks, blocks.catalog, options, evaluate.evaluations)
    return blocks


class PageBlocks(gr.Blocks):
    """Blocks whose login is the Hub's: off a Space Gradio plays one, as this machine's owner.

    `catalog` is what the page shows, for whoever serves its pictures; `answers` are those that have
    an address, by name, and `first` the addresses that the page asks for as it opens.
    """

    catalog: Catalog
    answers: Mapping[str, Addressed]
    first: Sequence[str]

    @property
    def expects_oauth(self) -> bool:
        """Whether somebody can log in."""
        return get_space() is not None and super().expects_oauth


def serve(
    page: PageBlocks,
    host: str = "127.0.0.1",
    port: int | None = None,
    block: bool = True,
    hosts: Sequence[str] = (),
    mcp: bool = False,
) -> None:
    """Serve `page` until it is stopped; with `block` False return once it answers.

    Requests of other sites, by names that are not the page's and with large bodies are refused
    (`serving.guard`); `hosts` are names that it is known by besides. With `mcp` its endpoints are
    tools of an MCP server too, at /gradio_api/mcp/. A port that is taken is a `BlindspotsError`,
    and so is asking for `mcp` where the package `mcp` is not installed.
    """
    from gradio.routes import BUILD_PATH_LIB
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware

    if mcp and find_spec("mcp") is None:
        raise BlindspotsError("An MCP server needs the package mcp: pip install 'mcp>=1.21,<2'.")
    assets = Path(BUILD_PATH_LIB)
    scripts = first_scripts(assets, {one.get_block_name() for one in page.blocks.values()})
    hints = [ask_ahead(page.first), *(hint_script(f".{ROUTE}{name}") for name in scripts)]
    door = Door.of(host, os.environ, hosts)
    limit_queue(page, SLOT, MOST_WAITING)
    quiet_faults(page)
    try:
        page.launch(
            server_name=host,
            server_port=port,
            theme=theme(),
            css=css(),
            ssr_mode=False,
            enable_monitoring=False,
            _frontend=False,  # else it asks itself for the page, and ends where it is kept waiting
            footer_links=[],
            quiet=not block,
            prevent_thread_lock=mcp or not block,
            run_history=False,
            mcp_server=mcp,
            max_file_size=MOST_BODY,
            state_session_capacity=SESSIONS,
            app_kwargs={
                "middleware": [
                    Middleware(Guard, door=door, most_body=MOST_BODY if door.public else OWN_BODY),
                    Middleware(PictureServer, catalog=page.catalog),
                    Middleware(Assets, folder=assets, first=scripts),
                    Middleware(GZipMiddleware, minimum_size=2_000, compresslevel=4),
                    Middleware(AnswerServer, answers=page.answers, said=page.catalog.said),
                    Middleware(FirstPage, hints=hints),
                ]
            },
        )
    except OSError as error:
        if "port" not in str(error).lower() and error.errno not in (EADDRINUSE, EACCES):
            raise
        raise BlindspotsError(
            f"The page cannot be served at {host}, port {port or 'any from 7860 on'}: another "
            "program has it, or it is not yours. Choose another one (--port)."
        ) from error
    if mcp:
        answer_in_json(page)
        if block:
            page.block_thread()
