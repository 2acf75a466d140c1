"""What a person reads at /programs: how programs ask this page, and what they may ask."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

ROUTE = "programs"
"""The path of the page, below the explorer's."""

EXAMPLE = """\
from gradio_client import Client

page = Client("ADDRESS")  # of this page, without /programs
print(page.predict("MODEL", api_name="/blindspots")["sentence"])"""


def programs_guide(functions: Sequence[Callable[..., Any]], model: str) -> str:
    """The page as HTML: an example about `model`, and every function by its own documentation."""
    answers = "".join(
        f"<h2><code>/{escape(one.__name__)}</code></h2><pre>{escape(_told(one))}</pre>"
        for one in functions
    )
    return (
        '<article class="programs"><h1>For programs</h1><p>What the explorer shows, programs can '
        "ask for: with <code>gradio_client</code>, or as tools of an MCP server at "
        "<code>/gradio_api/mcp/</code> (on one’s own machine with <code>python app.py --mcp</code>)"
        '. <a href="./">To the explorer</a></p>'
        f"<pre>{escape(EXAMPLE.replace('MODEL', model))}</pre>{answers}</article>"
    )


def _told(function: Callable[..., Any]) -> str:
    """How a function is called, and its docstring."""
    asked = [
        f"{name}={one.default!r}" if one.default is not one.empty else name
        for name, one in inspect.signature(function).parameters.items()
        if name != "request"
    ]
    return f"{function.__name__}({', '.join(asked)})\n\n{inspect.getdoc(function) or ''}"
