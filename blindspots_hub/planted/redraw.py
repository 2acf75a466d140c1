"""Generated images of planted models, drawn again from their seeds: no bundle has to hold them."""

from __future__ import annotations

import io
from collections import OrderedDict
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.generation.pipeline_files import revision_of
from blindspots_hub.planted import BESIDE, MODEL_FOLDER, TITLES, register

if TYPE_CHECKING:
    from blindspots_hub.generation.generate import TextToImage

KEPT = 200
"""Images that stay in memory: what one visitor pages through."""


class Redraw:
    """Draws the generated images of planted models again; one at a time, the latest are kept.

    An image depends on caption, pair id and the run's seed alone, so that it is the one that was
    measured; where the model is not the one that the bundle names by its sha256, there is none.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._pipelines: dict[str, TextToImage] = {}
        self._drawn: OrderedDict[tuple[str, str, int, str], bytes] = OrderedDict()

    def can(self, bundle: Bundle, source: str) -> bool:
        """Whether images of a source are a planted model's, drawn once each with a known seed."""
        entry = bundle.models.get(source)
        if entry is None or not entry.paired:
            return False
        run = entry.run
        return (
            run.get("pipeline_class") == "PlantedPipeline"
            and run.get("name") in (*TITLES, *BESIDE)
            and isinstance(run.get("seed"), int)
            and run.get("revision") == _revision(str(run["name"]))
        )

    def image(self, bundle: Bundle, source: str, pair_id: str) -> bytes | None:
        """A generated image as PNG; None where `can` says no, or there is no such pair."""
        from blindspots_hub.generation.generate import Generated

        if not self.can(bundle, source):
            return None
        run, caption = bundle.models[source].run, bundle.caption(source, pair_id)
        if not caption:
            return None
        key = (str(run["name"]), pair_id, int(run["seed"]), caption)
        with self._lock:
            if key not in self._drawn:
                outcome = self._pipeline(key[0]).generate(caption, pair_id, key[2])
                if not isinstance(outcome, Generated):
                    return None
                buffer = io.BytesIO()
                outcome.image.save(buffer, "PNG")
                self._drawn[key] = buffer.getvalue()
                while len(self._drawn) > KEPT:
                    self._drawn.popitem(last=False)
            self._drawn.move_to_end(key)
            return self._drawn[key]

    def _pipeline(self, name: str) -> TextToImage:
        from blindspots_hub.generation.generate import load_pipeline
        from blindspots_hub.generation.models import resolve

        if name not in self._pipelines:
            register()
            self._pipelines[name] = load_pipeline(resolve(f"planted/{name}"), "cpu")
        return self._pipelines[name]


@lru_cache(maxsize=len(TITLES) + len(BESIDE))
def _revision(name: str) -> str:
    """What a run with a planted model records of its folder."""
    return revision_of(MODEL_FOLDER / name)
