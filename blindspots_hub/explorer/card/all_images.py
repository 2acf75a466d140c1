"""Every image in which a concept fires, strongest first, a page at a time to the end."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.format import count
from blindspots_hub.explorer.page.pictures import pair_figure

PAGE = 12
"""Pairs that are added at once."""

SIDES = ("natural", "generated")


def all_images(entry: Entry, concept: int, side: str, page: int) -> str:
    """Page `page`, from 0, of the images on one `side`, as HTML that ends with the way on.

    Paired images stand beside their counterparts; where the energies of single images are not here
    a line says so.
    """
    lead = NATURAL if side == SIDES[0] else entry.model
    ids = _ranked(entry, concept, lead)
    if ids is None:
        return (
            "<p class='none'>Which images they are is not here: pull the bundle with all its "
            "parts.</p>"
        )
    if not len(ids):
        return f"<p class='none'>It fires in no {side} image.</p>"
    rows = (NATURAL, entry.model) if entry.paired else (lead,)
    first, last = page * PAGE, min((page + 1) * PAGE, len(ids))
    figures = "".join(pair_figure(entry.bundle, rows, one, concept) for one in ids[first:last])
    told = f"{count(last)} of {count(len(ids))} {side} images in which it fires"
    more = (
        f'<button type="button" data-all="{side}" data-page="{page + 1}">Show {PAGE} more</button>'
        if last < len(ids)
        else "<span>That is all of them.</span>"
    )
    return f'<div class="sheet">{figures}</div><p class="way-on">{told} {more}</p>'


def _ranked(entry: Entry, concept: int, source: str) -> Sequence[str] | None:
    """Ids of the images of a source in which a concept fires, the strongest first."""
    column = entry.bundle.concept_energies(source, concept)
    if column is None:
        return None
    every = entry.bundle.image_ids(source)
    order = np.argsort(-column.energies, kind="stable")
    ids = [every[row] for row in column.rows[order].tolist()]
    if source != NATURAL:
        return ids
    compared = entry.bundle.natural_ids(entry.model)
    if len(compared) == len(every):
        return ids
    kept = set(compared)
    return [one for one in ids if one in kept]


def all_images_part() -> str:
    """The part of a card from which all images are asked for, as HTML."""
    buttons = "".join(
        f'<button type="button" data-all="{side}" data-page="0">{escape(words)}</button>'
        for side, words in zip(SIDES, ("All natural images", "All generated images"), strict=True)
    )
    return f'<section class="every"><div class="ask">{buttons}</div></section>'
