"""The line above the tabs: what this is, which bundle it shows, light or dark."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.catalog import bundle_id
from blindspots_hub.explorer.page.help_panel import help_panel

SCRIPTS = tuple(Path(__file__).with_name(f"{name}.js") for name in ("lightbox", "definitions"))
"""What belongs to the page as a whole: pictures that open large, words that explain themselves."""

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
watch("shown", () => {
  const parts = element.querySelectorAll(".bundle > *");
  (props.shown ?? []).forEach((words, at) => { parts[at].textContent = words; });
});
"""

_DIGITS = "the hex digits stand for what was measured, and stay when names or findings are added"


def header(bundle: Bundle, note: str = "") -> gr.HTML:
    """The header of the page that shows `bundle`; `note` is a sentence that everybody should read.

    For example that the bundle that was wanted could not be had.
    """
    told = f'<p class="site-note" role="alert">{escape(note)}</p>' if note else ""
    name, version, digits = bundle_words(bundle)
    return gr.HTML(
        '<header class="top"><div class="brand"><h1>blindspots</h1>'
        "<p>What does a text-to-image model fail to draw, and what does it add? Each point is a "
        "visual concept: blue is drawn less than in natural images of the same captions, orange "
        "more.</p></div>"
        f'<div class="bundle" title="The bundle of results on this page; {_DIGITS}">'
        f"<b>{escape(name)}</b> <span>{escape(version)}</span> "
        f"<code>{digits}</code></div>"
        '<button type="button" data-help aria-haspopup="dialog" title="What this page shows">?'
        '<span class="sr"> Help</span></button>'
        '<button type="button" data-theme aria-label="Switch between light and dark" '
        f'title="Light or dark">◐</button></header>{told}{help_panel(bundle)}',
        js_on_load=SCRIPT + "".join(f"{{{one.read_text(encoding='utf-8')}}}" for one in SCRIPTS),
        elem_id="top",
        shown=bundle_words(bundle),
    )


def bundle_words(bundle: Bundle) -> list[str]:
    """What the header says of the bundle that is shown: name, version, start of its id."""
    return [bundle.name, bundle.version, bundle_id(bundle)[:8]]
