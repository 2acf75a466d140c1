"""The line above the tabs: what this is, which bundle it shows, light or dark."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.catalog import bundle_id
from blindspots_hub.explorer.page.help_panel import help_panel

LIGHTBOX = Path(__file__).with_name("lightbox.js")

SCRIPT = """
const help = element.querySelector(".help");
element.querySelector("[data-help]").onclick = () => help.showModal();
help.onclick = event => {
  if (event.target === help || event.target.closest("[data-close]")) help.close();
};
const button = element.querySelector("[data-theme]");
button.onclick = () => {
  const dark = document.body.classList.toggle("dark");
  try { localStorage.setItem("blindspots-theme", dark ? "dark" : "light"); } catch {}
};
try {
  const kept = localStorage.getItem("blindspots-theme");
  if (kept) document.body.classList.toggle("dark", kept === "dark");
} catch {}
"""


def header(bundle: Bundle, note: str = "") -> gr.HTML:
    """The header of the page that shows `bundle`; `note` is a sentence that everybody should read.

    For example that the bundle that was wanted could not be had.
    """
    told = f'<p class="site-note" role="alert">{escape(note)}</p>' if note else ""
    return gr.HTML(
        '<header class="top"><div class="brand"><h1>blindspots</h1>'
        "<p>What does a text-to-image model fail to draw, and what does it add? Each point is a "
        "visual concept: blue is drawn less than in natural images of the same captions, orange "
        "more.</p></div>"
        f'<div class="bundle" title="The bundle of results on this page; the hex digits are the '
        f'start of its sha256"><b>{escape(bundle.name)}</b> {escape(bundle.version)} '
        f"<code>{bundle_id(bundle)[:8]}</code></div>"
        '<button type="button" data-help aria-haspopup="dialog" title="What this page shows">?'
        '<span class="sr"> Help</span></button>'
        '<button type="button" data-theme aria-label="Switch between light and dark" '
        f'title="Light or dark">◐</button></header>{told}{help_panel(bundle)}',
        js_on_load=SCRIPT + LIGHTBOX.read_text(encoding="utf-8"),
        elem_id="top",
    )
