"""The verdicts of a model as a table, and the images of one test, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.heatmaps import seen_share
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import OVER_ALL, count, explained, number, percent, q_value
from blindspots_hub.explorer.page.marks import state_name
from blindspots_hub.explorer.page.named import named
from blindspots_hub.explorer.page.pictures import (
    data_uri,
    heat_png,
    heat_switch,
    largest_code,
    media_type,
    pair_figure,
    short_caption,
)
from blindspots_hub.explorer.page.verdicts import verdict_badge

SHOWN = 40
"""Images a model that a page shows, strongest first; the table has all."""

CHANCE = (
    "How easily chance alone brings such a difference between the shares; raised for all concepts "
    "that were put to the test together"
)
"""What p says, in one line."""

NATURALS = 5
"""Natural images beside them."""


def verdict_table(entry: Entry, rows: Sequence[Mapping[str, Any]], concept: int | None) -> str:
    """A row a test: the verdict, how often each side shows the concept, and what was said of it."""
    if not rows:
        return (
            "<p class='lead'>No concept of this model was put to the test yet. Choose one in the "
            "form: prompts that ask for it are drawn, and the images say whether it is really "
            "missing.</p>"
        )
    reading = entry.reading("relative")
    body = "".join(
        f'<tr role="row" data-open="{row["concept"]}"'
        f"{' aria-current=true' if row['concept'] == concept else ''}>"
        f'<td role="cell"><button type="button" class="as-link" data-open="{row["concept"]}">'
        f"{named(entry.bundle, row['concept'])}</button></td>"
        f'<td role="cell">{verdict_badge(row)} {_tested_as(row)}</td>'
        f'<td role="cell">{_share(row, "share")}</td>'
        f'<td role="cell">{_share(row, "share_against")}</td>'
        f'<td role="cell">{_share(row, "share_natural")}</td>'
        f'<td role="cell">{"–" if row["p_holm"] is None else escape(q_value(row["p_holm"]))}</td>'
        f'<td role="cell" class="is-{state_name(reading, row["concept"])}">'
        f"{state_name(reading, row['concept'])}</td></tr>"
        for row in rows
    )
    heads = (
        "concept", "verdict", escape(entry.title), "second model", "natural",
        explained("p", CHANCE), explained("over all pairs", OVER_ALL),
    )  # fmt: skip
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    return (
        '<div class="wide-table plain" tabindex="0" role="region" aria-label="Verdicts">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _tested_as(row: Mapping[str, Any]) -> str:
    """That other prompts than such as ask for it were drawn, where it is so."""
    much = row.get("direction") == "exaggerated"
    told = "of prompts that do not ask for it" if much else ""
    return f'<small title="{told}">drawn too often?</small>' if much else ""


def _share(row: Mapping[str, Any], of: str) -> str:
    if row[of] is None:
        return "–"
    ends = f"{percent(row[f'{of}_low'])} to {percent(row[f'{of}_high'])}"
    return f"<b>{percent(row[of])}</b> <small>{ends}</small>"


def gallery(
    entry: Entry, row: Mapping[str, Any] | None, images: Sequence[Mapping[str, Any]], heat: int
) -> str:
    """The images of one test, both models' by energy, with where the concept fires."""
    if row is None:
        return ""
    bundle, concept = entry.bundle, int(row["concept"])
    largest = max((max(one["codes"], default=0.0) for one in images), default=0.0)
    sides = [row["model"], *([row["against"]] if row["against"] else [])]
    parts = [
        f"<h3>{named(bundle, concept)} {verdict_badge(row)}</h3>"
        f"<p class='lead'>{escape(row['sentence'])}</p>"
        f"<p class='meaning'>An image shows the concept where its energy reaches "
        f"{number(row['level'])}: so strong are three quarters of the natural images in which it "
        "fires. Images are sorted by energy; framed ones show it.</p>"
        f'<div class="legend-row"><span></span>{heat_switch(heat, largest)}</div>'
    ]
    parts += [
        _side(bundle, side, [one for one in images if one["drawn_by"] == side], largest)
        for side in sides
    ]
    parts.append(_naturals(entry, concept))
    return f'<section class="stress-gallery">{"".join(parts)}</section>'


def _side(
    bundle: Bundle, model: str, images: Sequence[Mapping[str, Any]], largest: float
) -> str:  # fmt: skip
    title = bundle.model(model).title if model in bundle.models else model
    shows = sum(one["shows"] for one in images)
    more = f", the {SHOWN} strongest of them here" if len(images) > SHOWN else ""
    cells = "".join(_figure(bundle, one, largest) for one in images[:SHOWN])
    return (
        f"<h4>{escape(title)}: {count(shows)} of {count(len(images))} images show it{more}</h4>"
        f'<div class="stress-images">{cells}</div>'
    )


def _figure(bundle: Bundle, one: Mapping[str, Any], largest: float) -> str:
    content = one["image"]["bytes"]
    prompt = str(one["prompt"])
    named_as = escape(f"{one['concept']}-{one['drawn_by']}-{one['seed']}-{one['draw']}")
    over = ""
    grid = _grid(bundle, one)
    if grid is not None and largest > 0:
        png = heat_png(grid, largest, seen_share(bundle))
        address = data_uri("image/png", png)
        over = f'<i class="heat" style="background-image:url({address})"></i>'
    spoken = escape(f"generated image: {one['prompt'][:48]}")
    return (
        f'<figure class="pair {"shows" if one["shows"] else "lacks"}" '
        f'data-pair="{named_as}" data-caption="{escape(prompt)}"><div class="picture">'
        f'<img alt="{spoken}" loading="lazy" src="{data_uri(media_type(content), content)}">{over}'
        f"</div><figcaption>{escape(short_caption(prompt))} <small>{number(one['energy'])}</small>"
        "</figcaption></figure>"
    )


def _grid(bundle: Bundle, one: Mapping[str, Any]) -> np.ndarray | None:
    """Codes of the patches, float32 `bundle.grid`; None where it fires on none."""
    rows, columns = bundle.grid
    flat = np.zeros(rows * columns, np.float32)
    known = [(p, c) for p, c in zip(one["patches"], one["codes"], strict=False) if p < len(flat)]
    if not known:
        return None
    flat[[p for p, _ in known]] = [c for _, c in known]
    return flat.reshape(rows, columns)


def _naturals(entry: Entry, concept: int) -> str:
    """The strongest natural images: what the concept is."""
    tops = entry.bundle.deltas(entry.model)["top_natural"][concept].as_py()[:NATURALS]
    largest = largest_code(entry.bundle, concept, ((NATURAL, one) for one in tops))
    cells = "".join(
        pair_figure(entry.bundle, [NATURAL], one, concept, largest or 1.0) for one in tops
    )
    return (
        f'<h4>Natural images in which it is strongest</h4><div class="stress-images">{cells}</div>'
        if cells
        else ""
    )
