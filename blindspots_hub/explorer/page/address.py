"""The address bar: follows what is shown, and brings back what was shown before."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from blindspots_hub.explorer.page.listening import server_time
from blindspots_hub.explorer.page.view import NAMES, PLACES, View


def address_bar() -> gr.HTML:
    """A component without a face; change it with `address_of`.

    What opens another model, concept, pair or tab becomes an entry of the browser's history, what
    changes the way it is shown does not. Its event `.travel` is a visitor going back or forward:
    `query` holds what the address names then, and `answered` has to follow. `.opened` is a visitor
    who was quicker than the answer to the page's link: the `query` of that, and the title of the
    `tab` that they have opened.
    """
    return gr.HTML(
        value="",
        js_on_load=(Path(__file__).parent / "address.js").read_text(encoding="utf-8"),
        elem_id="address",
        names=list(NAMES),
        places=list(PLACES),
        to=["", 0, False],
        answered=0,
    )


def address_of(view: View, arrived: bool = False) -> gr.HTML:
    """The update that brings the address to `view`; with `arrived` it stays the same entry."""
    return gr.HTML(to=[view.link, server_time(), arrived])


def answered() -> gr.HTML:
    """The update that ends the answer to `.travel`: the address stays, it is there already."""
    return gr.HTML(answered=server_time())
