"""What the browser asks for outside the queue: the map's points and colours, hover, search, CSV."""

from __future__ import annotations

from typing import Any

from blindspots_hub.analysis.deltas import KINDS, SHOW
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.concept_map import Hover, MapData, colour_bytes
from blindspots_hub.explorer.map.layout_switch import points
from blindspots_hub.explorer.page.catalog import Catalog, Entry, check_concept
from blindspots_hub.explorer.page.marks import delta_words, shown_delta, state_words
from blindspots_hub.explorer.page.pictures import thumbnail_url
from blindspots_hub.explorer.tabs.explore_parts.rankings import SIDES, csv_text
from blindspots_hub.explorer.tabs.explore_parts.search import find


def colour_key(entry: Entry, kind: str) -> str:
    """What names one colouring of the map: the entry's key and the δ."""
    return f"{entry.key}/{kind}"


class MapServer:
    """The page's answers; every key comes back from a browser and is checked here."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def asked(self, key: str) -> tuple[Entry, str]:
        """Entry and δ of a colour key; a key that was never given out is a `BlindspotsError`."""
        entry_key, _, kind = key.rpartition("/")
        if kind not in KINDS:
            raise BlindspotsError("The page asked for a δ that does not exist: reload it.")
        return self._catalog.entry(entry_key), kind

    def points(self, key: str) -> MapData:
        """The map of the page's own bundle by `map_key`; every model of the menu shares it."""
        return points(self._catalog, key)

    def colours(self, key: str) -> bytes:
        """Bytes of δ and of states of one colouring."""
        entry, kind = self.asked(key)
        reading = entry.reading(kind)
        return colour_bytes(shown_delta(reading), reading.state_bytes)

    def hover(self, concept: int, key: str) -> Hover:
        """The map's tooltip of one concept."""
        entry, kind = self.asked(key)
        check_concept(entry.bundle, concept)
        reading = entry.reading(kind)
        told: Hover = {
            "label": entry.bundle.labels[concept],
            "value": f"{kind} δ {delta_words(reading, concept)}",
            "state": state_words(reading, concept, entry.paired),
        }
        row = entry.bundle.deltas(entry.model).slice(concept, 1)
        for source, column in ((NATURAL, "top_natural"), (entry.model, "top_generated")):
            for image in row[column][0].as_py():
                if entry.bundle.has_thumbnail(source, image):
                    told["image"] = thumbnail_url(entry.bundle, source, image)
                    return told
        return told

    def find(self, text: str, key: str) -> list[dict[str, Any]]:
        """Suggestions of the search box."""
        try:
            entry = self._catalog.entry(key)
        except BlindspotsError:
            return []  # the page's own error face says it: a suggestion list has no place for it
        return [
            {"i": hit.concept, "label": hit.label, "reason": hit.reason}
            for hit in find(entry, text)
        ]

    def csv(self, asked: list[str]) -> dict[str, str]:
        """One ranking as a file: `asked` is the colour key, the side and what is shown."""
        key, side, show = (str(part) for part in asked)
        try:
            entry, kind = self.asked(key)
            if side not in SIDES or show not in SHOW:
                raise BlindspotsError(
                    "The page asked for a ranking that does not exist: reload it."
                )
        except BlindspotsError as error:
            return {"error": str(error)}
        name = f"{entry.model}-{side}-{kind}.csv"
        return {"name": name, "text": csv_text(entry, kind, side, show)}
