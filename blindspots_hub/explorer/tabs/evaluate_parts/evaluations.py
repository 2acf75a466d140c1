"""Evaluations that the form or a program asks for: one at a time, within the bounds of the site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.page_options import PageOptions
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import GenerationChoice
from blindspots_hub.explorer.tabs.evaluate_parts.result_files import result_folder
from blindspots_hub.progress import Event, Work
from blindspots_hub.serving.deployment import MODELS
from blindspots_hub.serving.disk import KEPT, KEPT_MODELS, check_room, evaluation_bytes, prune
from blindspots_hub.serving.memory import give_back_memory

SLOT = "evaluation"
"""One evaluation at a time on this server; others see their place in the queue."""

INTERVAL = 0.25
"""Seconds between two looks at whether a stopped evaluation has ended."""


class Evaluations:
    """Runs what is asked for into the folder of the page's evaluations."""

    def __init__(self, catalog: Catalog, options: PageOptions) -> None:
        self._catalog, self._site = catalog, options.site
        self._folder = options.evaluations
        self.known: Sequence[str] = [spec for _, spec in options.known_models]
        self.busy = options.busy

    def work(
        self, spec: str, pairs: int, seed: int, choice: GenerationChoice, token: str | None = None
    ) -> Work[Bundle]:
        """The evaluation of what `Deployment.accepted` and `check_generations` have let through.

        A generator of events that returns the bundle, which the page's catalog then knows too.
        Closing it stops the work; the same request goes on where it was.
        """
        access = self._site.access(spec, self.known, token, self._folder)
        fetched = self._site.check_size(spec, self.known, access)
        from blindspots_hub.runs.evaluate import evaluate

        while not self.busy.acquire(timeout=INTERVAL):
            yield Event("waiting for a stopped run to end its image", 0, 1)
        try:
            home = self._catalog.home
            place = result_folder(self._folder, home, spec, pairs, seed, choice)
            self._make_room(place, evaluation_bytes(pairs * choice.num_images_per_prompt, fetched))
            bundle: Bundle = yield from evaluate.stream(
                spec,
                place,
                pairs=pairs,
                seed=seed,
                num_images_per_prompt=choice.num_images_per_prompt,
                bundle=home,
                num_inference_steps=choice.num_inference_steps,
                guidance_scale=choice.guidance_scale,
                height=choice.size,
                width=choice.size,
                dtype=choice.dtype,
                batch_size=self._site.batch_size,
                previews=True,
                access=access,
            )
        finally:
            self.busy.release()
            give_back_memory()
        self._catalog.add(bundle.root)
        return bundle

    def _make_room(self, place: Path, needed: int) -> None:
        """Remove what a public page keeps too much of; `BlindspotsError` where the disk is full."""
        if self._site.public:
            prune(self._folder / MODELS, KEPT_MODELS)
            prune(self._folder, KEPT, (place, self._folder / MODELS), self._catalog.forget)
        check_room(self._folder, needed)
