"""What a person reads at /readme: the README, from the checkout or from the installed package."""

from __future__ import annotations

import re
from html import escape
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import blindspots_hub

README_ROUTE = "readme"
"""The path of the page, below the explorer's."""

CHECKOUT = Path(blindspots_hub.__file__).parents[1] / "README.md"


def readme() -> str:
    """The README as text; "" where neither a checkout nor an installed package has one."""
    try:
        text = CHECKOUT.read_text(encoding="utf-8")
    except OSError:
        try:
            text = str(metadata("blindspots_hub").json.get("description", ""))
        except PackageNotFoundError:
            return ""
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL).strip()


def readme_page() -> str:
    """The page as HTML: the text as it is written, which reads well enough."""
    return (
        '<article class="programs"><h1>README</h1><p><a href="./">To the explorer</a></p>'
        f"<pre>{escape(readme())}</pre></article>"
    )
