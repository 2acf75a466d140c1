"""Stress tests that the form asks for: one run at a time, within the bounds of the site."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.labels import concept_number
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import bundle_id
from blindspots_hub.explorer.page.example import is_example
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import GenerationChoice
from blindspots_hub.explorer.tabs.evaluate_parts.one_at_a_time import OneAtATime
from blindspots_hub.progress import Work
from blindspots_hub.serving.disk import evaluation_bytes

if TYPE_CHECKING:
    from blindspots_hub.runs.stress import StressResult

SOURCES = {
    "usual": "captions that name it, else templates",
    "captions": "captions of the bundle",
    "templates": "templates over its name",
    "given": "the prompts below",
}
"""Where the form takes prompts from, in words."""

MOST_CONCEPTS = 20
"""Concepts of one run of the form; the command takes more."""


@dataclass(frozen=True)
class StressChoice:
    """What the form asks for; `against` is "" where there is no second model."""

    model: str
    against: str
    concepts: tuple[int, ...]
    source: str
    lines: tuple[str, ...]
    prompts: int
    seed: int
    generation: GenerationChoice

    @classmethod
    def read(
        cls,
        bundle: Bundle,
        model: str,
        against: str,
        concepts: str,
        source: str,
        lines: str,
        prompts: int,
        seed: int,
        generation: GenerationChoice,
    ) -> StressChoice:
        """The fields' texts as what they mean; `BlindspotsError` for what means nothing."""
        numbers = concepts.replace("#", " ").replace(",", " ").split()
        if not numbers:
            raise BlindspotsError("No concept is named: give its number, such as 217.")
        if len(numbers) > MOST_CONCEPTS:
            raise BlindspotsError(
                f"{len(numbers):,} concepts were named: the page puts {MOST_CONCEPTS} to the test "
                "at a time, the command more."
            )
        asked = [concept_number(one, bundle.n_concepts, "Concepts") for one in numbers]
        if source not in SOURCES:
            raise BlindspotsError(f"There are no prompts of the kind {source[:20]!r}.")
        given = tuple(line.strip() for line in lines.splitlines() if line.strip())
        if source == "given" and len(given) < 2:
            raise BlindspotsError("Write at least two prompts, one a line.")
        count = len(given) if source == "given" else prompts
        chosen = tuple(dict.fromkeys(asked))
        return cls(model, against, chosen, source, given, count, seed, generation)

    @property
    def images(self) -> int:
        """Images of all models."""
        models = 2 if self.against else 1
        return models * len(self.concepts) * self.prompts * self.generation.num_images_per_prompt

    @property
    def words(self) -> str:
        """The request as the running page's title."""
        concepts = ", ".join(f"#{one}" for one in self.concepts[:5])
        more = f" and {len(self.concepts) - 5} more" if len(self.concepts) > 5 else ""
        second = f" against {self.against}" if self.against else ""
        return f"{self.model}{second} · {concepts}{more} · {self.prompts} prompts"


class StressRuns(OneAtATime):
    """Runs what is asked for; on one's own machine the bundle keeps the result."""

    def beside(self, bundle: Bundle, session: str) -> Path | None:
        """The folder that keeps a bundle's results instead of itself; None where it does.

        A visitor's are of their session alone. The embedded example is never changed.
        """
        name = f"stress-{bundle_id(bundle)}"
        if self.site.public:
            return self.folder / f"{name}-{session}" if session else None
        if is_example(bundle) or not os.access(bundle.root, os.W_OK):
            return self.folder / name
        return None

    def work(
        self, bundle: Bundle, choice: StressChoice, session: str, token: str | None = None
    ) -> Work[StressResult]:
        """The stress test of what `Deployment.accepted` and `check_generations` have let through.

        Closing it stops the work; the same request goes on where it was.
        """
        models = [choice.model, *([choice.against] if choice.against else [])]
        reached = [self.reached(one, token) for one in models]
        place = self.beside(bundle, session)

        def tested() -> Work[StressResult]:
            from blindspots_hub.runs.stress import stress_test
            from blindspots_hub.stress.prompts import PromptSource

            fetched = sum(size for _, size in reached)
            self.make_room(place, evaluation_bytes(choice.images, fetched))
            source = (
                PromptSource.given(choice.lines, "The form")
                if choice.source == "given"
                else PromptSource(choice.source)
            )
            generation = choice.generation
            result: StressResult = yield from stress_test.stream(
                bundle,
                choice.model,
                concepts=choice.concepts,
                against=choice.against or None,
                prompts=source,
                num_prompts=choice.prompts,
                num_images_per_prompt=generation.num_images_per_prompt,
                seed=choice.seed,
                work_dir=place,
                num_inference_steps=generation.num_inference_steps,
                guidance_scale=generation.guidance_scale,
                height=generation.size,
                width=generation.size,
                dtype=generation.dtype,
                batch_size=self.site.batch_size,
                previews=True,
                access=reached[0][0],
                access_against=reached[-1][0],
            )
            return result

        result = yield from self.alone(tested)
        bundle.refresh()
        return result
