"""What a person reads at /readme: the README, from the checkout or from the installed package.

On a Space `README.md` at the top is the Space's own card: the README lies in the package there.
"""

from __future__ import annotations

import re
from html import escape
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import blindspots_hub

README_ROUTE = "readme"
"""The path of the page, below the explorer's."""

_PACKAGE = Path(blindspots_hub.__file__).parent
PLACES = (_PACKAGE / "README.md", _PACKAGE.parent / "README.md")
"""Where it may lie: on a Space, in a checkout."""


def readme() -> str:
    """The README as text; "" where neither a checkout nor an installed package has one."""
    text = next((one.read_text(encoding="utf-8") for one in PLACES if one.is_file()), None)
    if text is None:
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
