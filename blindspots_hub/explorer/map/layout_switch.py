"""By what the map lays concepts out: by their atoms, or by the images that they fire in."""

from __future__ import annotations

from functools import lru_cache

import gradio as gr
import numpy as np

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.concept_map import MapData, update_map
from blindspots_hub.explorer.page.catalog import Catalog, bundle_id, frequency_bytes

LAYOUTS = {"atoms": ("x", "y"), "codes": ("x_codes", "y_codes")}
"""Columns of the table CONCEPTS by the name of the layout; the first is the one shown first."""

FIRST = next(iter(LAYOUTS))


def layouts(catalog: Catalog) -> list[str]:
    """The layouts that the page's bundle has."""
    both = catalog.home.concepts["x_codes"].null_count < catalog.home.n_concepts
    return list(LAYOUTS) if both else [FIRST]


def layout_switch(catalog: Catalog) -> gr.Radio:
    """The control; hidden where the bundle has one layout only."""
    return gr.Radio(
        list(LAYOUTS),
        value=FIRST,
        label="Near are",
        info="alike atoms, or concepts that fire together",
        visible=len(layouts(catalog)) > 1,
        elem_id="layout",
    )


def map_key(catalog: Catalog, layout: str = FIRST) -> str:
    """What names the points of the page's bundle in one layout."""
    return f"{bundle_id(catalog.home)}/{layout}"


def lay_out(catalog: Catalog, layout: str, concept: int | None) -> gr.HTML:
    """The map in another layout, with the same concept selected."""
    chosen = layout if layout in LAYOUTS else FIRST
    return update_map(data_key=map_key(catalog, chosen), selected=concept)


@lru_cache(maxsize=8)
def points(catalog: Catalog, key: str) -> MapData:
    """The points of `map_key`; a concept that never fires is on neither map.

    A key that was never given out is a `BlindspotsError`.
    """
    columns = LAYOUTS.get(key.rpartition("/")[2])
    if columns is None:
        raise BlindspotsError("The page asked for a map that does not exist: reload it.")
    concepts = catalog.home.concepts
    xy = np.stack([concepts[name].to_numpy() for name in columns], axis=1)
    size = frequency_bytes(concepts["frequency"].to_numpy())
    return MapData(xy, size, [label or "" for label in concepts["label"].to_pylist()])
