"""What the browser asks for outside the queue: the map's points and colours, hover, search, CSV."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np

from blindspots_hub.analysis.deltas import KINDS, SHOW, ModelDeltas
from blindspots_hub.analysis.words import SIGNS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.all_images import SIDES as IMAGE_SIDES
from blindspots_hub.explorer.card.all_images import all_images
from blindspots_hub.explorer.card.histogram import energy_histogram
from blindspots_hub.explorer.card.naming import names_to_save
from blindspots_hub.explorer.map.concept_map import REGION_LIMIT
from blindspots_hub.explorer.map.layout_switch import points
from blindspots_hub.explorer.map.map_data import Hover, MapData, colour_bytes
from blindspots_hub.explorer.page.catalog import (
    Catalog,
    Entry,
    check_concept,
    frequency_bytes,
)
from blindspots_hub.explorer.page.concept_table import concept_table
from blindspots_hub.explorer.page.marks import (
    NOT_JUDGED,
    delta_words,
    shown_delta,
    state_name,
    state_words,
)
from blindspots_hub.explorer.page.pictures import concept_picture
from blindspots_hub.explorer.page.table_files import as_file
from blindspots_hub.explorer.page.view import SIZES
from blindspots_hub.explorer.tabs.explore_parts.rankings import SIDES
from blindspots_hub.explorer.tabs.explore_parts.search import find, searched


def colour_key(entry: Entry, kind: str, size: str = SIZES[0]) -> str:
    """What names one colouring of the map: the entry's key, the δ, what size stands for."""
    return f"{entry.key}/{kind}/{size}"


class MapServer:
    """The page's answers; every key comes back from a browser and is checked here."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def asked(self, key: str) -> tuple[Entry, str, str]:
        """Entry, δ and size of a colour key; one that was never given out: a `BlindspotsError`."""
        rest, _, size = key.rpartition("/")
        entry_key, _, kind = rest.rpartition("/")
        if kind not in KINDS or size not in SIZES:
            raise BlindspotsError("The page asked for a δ that does not exist: reload it.")
        return self._catalog.entry(entry_key), kind, size

    def points(self, key: str) -> MapData:
        """The map of the page's own bundle by `map_key`; every model of the menu shares it."""
        return points(self._catalog, key)

    def colours(self, key: str) -> bytes:
        """Bytes of δ and of states of one colouring, and of sizes other than the frequency."""
        entry, kind, size = self.asked(key)
        reading = entry.reading(kind)
        shown = shown_delta(reading)
        return colour_bytes(shown, reading.state_bytes, _sizes(reading, shown, size))

    def pictures(self, concepts: list[int], key: str) -> dict[int, str]:
        """Addresses of the small picture of each concept that has one."""
        entry, _, _ = self.asked(key)
        found = {k: concept_picture(entry, check_concept(entry.bundle, k)) for k in concepts}
        return {k: url for k, url in found.items() if url}

    def hover(self, concept: int, key: str) -> Hover:
        """The map's tooltip of one concept."""
        entry, kind, _ = self.asked(key)
        check_concept(entry.bundle, concept)
        reading = entry.reading(kind)
        told: Hover = {
            "label": entry.bundle.labels[concept],
            "value": f"{kind} δ {delta_words(reading, concept)}",
            "state": state_words(reading, concept, entry.paired),
        }
        if picture := concept_picture(entry, concept):
            told["image"] = picture
        return told

    def find(self, text: str, key: str) -> list[dict[str, Any]]:
        """Suggestions of the search box, with states by the δ of the colour key."""
        try:
            entry, kind, _ = self.asked(key)
        except BlindspotsError:
            return []  # the page's own error face says it: a suggestion list has no place for it
        reading = entry.reading(kind)
        hits: list[dict[str, Any]] = [
            {
                "i": hit.concept,
                "label": hit.label,
                "reason": hit.reason,
                "state": state_name(reading, hit.concept),
                "sign": SIGNS.get(state_name(reading, hit.concept), NOT_JUDGED),
                "image": concept_picture(entry, hit.concept) or "",
            }
            for hit in find(entry, text)
        ]
        return [*hits, {"searched": searched(entry)}]

    def ranking(self, asked: list[str]) -> dict[str, str]:
        """One ranking as a file: `asked` is the colour key, the side, what is shown, the format."""
        key, side, show, ending = (str(part) for part in asked)
        try:
            entry, kind, _ = self.asked(key)
            if side not in SIDES or show not in SHOW:
                raise BlindspotsError(
                    "The page asked for a ranking that does not exist: reload it."
                )
            concepts = entry.reading(kind).ranking(side, show == "certain")
            return as_file(
                concept_table(entry, kind, concepts), f"{entry.model}-{side}-{kind}", ending
            )
        except BlindspotsError as error:
            return {"error": self._catalog.said(error)}

    def histogram(self, asked: list[Any]) -> str:
        """Energies of single images of a concept: `asked` is the colour key and the concept."""
        return self._card_part(asked, lambda entry, concept: energy_histogram(entry, concept))

    def images(self, asked: list[Any]) -> str:
        """All images of a concept: `asked` is the colour key, the concept, the side, the page."""
        side, page = str(asked[2]), int(asked[3])
        if side not in IMAGE_SIDES or not 0 <= page < 10**6:
            return ""
        return self._card_part(asked, lambda entry, k: all_images(entry, k, side, page))

    def _card_part(self, asked: list[Any], made: Callable[[Entry, int], str]) -> str:
        try:
            entry, _, _ = self.asked(str(asked[0]))
            return made(entry, check_concept(entry.bundle, int(asked[1])))
        except BlindspotsError as error:
            return f"<p class='none'>{escape(self._catalog.said(error))}</p>"

    def names(self, asked: list[Any]) -> dict[str, str]:
        """All names of a bundle as a file: `asked` is the colour key."""
        try:
            return names_to_save(self.asked(str(asked[0]))[0].bundle)
        except BlindspotsError as error:
            return {"error": self._catalog.said(error)}

    def region(self, asked: list[Any]) -> dict[str, str]:
        """Some concepts as a file: `asked` is the colour key, the concepts, the format."""
        try:
            entry, kind, _ = self.asked(str(asked[0]))
            concepts = [check_concept(entry.bundle, int(k)) for k in asked[1][:REGION_LIMIT]]
            name = f"{entry.model}-region-{kind}"
            return as_file(
                concept_table(entry, kind, np.array(concepts, np.int64)), name, str(asked[2])
            )
        except BlindspotsError as error:
            return {"error": self._catalog.said(error)}


def _sizes(reading: ModelDeltas, shown: np.ndarray, size: str) -> np.ndarray | None:
    """Bytes of what points' sizes stand for; None for the frequency, which the map has."""
    if size == "energy":
        return frequency_bytes(np.maximum(reading.energy_natural, reading.energy_generated))
    if size == "|δ|":
        apart = np.nan_to_num(np.abs(2 * shown - 1))
        return np.round(255 * np.clip(apart, 0, 1)).astype(np.uint8)
    return None
