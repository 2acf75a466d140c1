"""The look of the page: a theme without web fonts, and its style sheets."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from blindspots_hub.explorer.page.colours import THEMES, css_variables
from blindspots_hub.explorer.page.pictures import HEAT_ALPHA, HEAT_COLOUR

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "monospace")


def theme() -> gr.themes.Base:
    """Default theme on the fonts of the visitor's machine: the page makes no outside request."""
    return gr.themes.Default(
        primary_hue="indigo", neutral_hue="zinc", font=FONT, font_mono=MONO, radius_size="md"
    ).set(
        # White words on it, and it on the page, keep a contrast of 4.5.
        color_accent="*primary_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        body_background_fill="*neutral_50",
        body_background_fill_dark="#0e0f13",
        block_background_fill_dark="#17181e",
        background_fill_primary_dark="#17181e",
        background_fill_secondary_dark="#1f2027",
        border_color_primary_dark="#2c2d36",
    )


def css() -> str:
    """The style sheets, with the scale's colours as custom properties of both themes."""
    red, green, blue = HEAT_COLOUR
    heat = (
        f"--heat: linear-gradient(90deg, rgb({red} {green} {blue} / 0), "
        f"rgb({red} {green} {blue} / {HEAT_ALPHA}));"
    )
    light, dark = (
        f"{css_variables(name)}--delta-track: {THEMES[name].unknown}; "
        for name in ("light", "dark")
    )
    variables = f":root {{ {light}{heat} }}\n.dark {{ {dark} }}\n"
    here = Path(__file__).parent
    names = ("style.css", "tables.css", "answers.css")
    sheets = ((here / name).read_text(encoding="utf-8") for name in names)
    return variables + "".join(sheets)
