"""By what the map lays concepts out: by their atoms, or by the images that they fire in."""

from __future__ import annotations

from functools import lru_cache

import gradio as gr
import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.cluster_names import cluster_names
from blindspots_hub.explorer.map.concept_map import update_map
from blindspots_hub.explorer.map.map_data import MapData
from blindspots_hub.explorer.page.catalog import (
    ID_DIGITS,
    Catalog,
    bundle_id,
    frequency_bytes,
)

LAYOUTS = {"atoms": ("x", "y"), "codes": ("x_codes", "y_codes")}
"""Columns of the table CONCEPTS by the name of the layout; the first is the one shown first."""

FIRST = next(iter(LAYOUTS))

NEAR = {"atoms": "are alike", "codes": "fire together"}
"""What concepts that lie near each other have in common, by layout, in words."""


def layouts(catalog: Catalog) -> list[str]:
    """The layouts that the page's bundle has."""
    both = catalog.home.concepts["x_codes"].null_count < catalog.home.n_concepts
    return list(LAYOUTS) if both else [FIRST]


def layout_switch(catalog: Catalog) -> gr.Radio:
    """The control; hidden where the bundle has one layout only."""
    return gr.Radio(
        [(words, layout) for layout, words in NEAR.items()],
        value=FIRST,
        label="Near are those that",
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


def place(bundle: Bundle, layout: str) -> np.ndarray:
    """Where concepts lie in one layout, (n, 2) in its units; NaN where one is not on the map."""
    return np.stack([bundle.concepts[name].to_numpy() for name in LAYOUTS[layout]], axis=1)


def names_key(catalog: Catalog) -> str:
    """What names the names that stand on the map: another one once a concept is named."""
    return catalog.home.sha256[:ID_DIGITS]


def points(catalog: Catalog, key: str) -> MapData:
    """The points of `map_key`; a concept that never fires is on neither map.

    A key that was never given out is a `BlindspotsError`.
    """
    return _points(catalog, key, names_key(catalog))


@lru_cache(maxsize=8)
def _points(catalog: Catalog, key: str, names: str) -> MapData:
    if key.rpartition("/")[2] not in LAYOUTS:
        raise BlindspotsError("The page asked for a map that does not exist: reload it.")
    concepts = catalog.home.concepts
    xy = place(catalog.home, key.rpartition("/")[2])
    size = frequency_bytes(concepts["frequency"].to_numpy())
    labels = catalog.home.labels
    named = cluster_names(xy, concepts["cluster"].to_numpy(), labels)
    return MapData(xy, size, labels, named)
