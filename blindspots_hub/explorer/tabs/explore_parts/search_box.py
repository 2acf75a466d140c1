"""The search box: suggestions as one types, outside the queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent

TEMPLATE = """
<div class="search">
  <label for="concept-search">Search</label>
  <input id="concept-search" type="search" autocomplete="off" spellcheck="false"
    role="combobox" aria-expanded="false" aria-autocomplete="list" aria-controls="search-hits"
    placeholder="Name, number, words of a caption…">
  <ul id="search-hits" role="listbox" aria-label="Concepts that were found" hidden></ul>
  <span class="sr" role="status"></span>
</div>
"""


def search_box(
    find: Callable[[str, str], list[dict[str, Any]]], key: str, elem_id: str = "search"
) -> gr.HTML:
    """Build the box; `find(text, key)` answers with `i`, `label`, `reason`, `state`, its
    `sign` and the address of an `image` a suggestion, and last what was `searched`.

    `key` is the colour key of what is shown, whose model is searched and whose δ a suggestion's
    state is of; keep it up to date as a property. Choosing a suggestion raises `.found` with `i`.
    """

    def suggest(asked: list[str]) -> list[dict[str, Any]]:
        return find(str(asked[0])[:200], str(asked[1])[:512])

    return gr.HTML(
        value="",
        html_template=TEMPLATE,
        js_on_load=(HERE / "search_box.js").read_text(encoding="utf-8"),
        server_functions=[suggest],
        elem_id=elem_id,
        colour_key=key,
    )
