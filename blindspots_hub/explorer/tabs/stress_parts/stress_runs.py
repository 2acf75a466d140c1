"""Stress tests that the form asks for: one run at a time, within the bounds of the site."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.labels_csv import concept_number
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import bundle_id
from blindspots_hub.explorer.page.example import is_example
from blindspots_hub.explorer.tabs.evaluate_parts.evaluations import drawing
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import GenerationChoice
from blindspots_hub.explorer.tabs.evaluate_parts.one_at_a_time import OneAtATime
from blindspots_hub.progress import Event, Work
from blindspots_hub.serving.disk import evaluation_bytes

if TYPE_CHECKING:
    from blindspots_hub.runs.stress import StressResult

GIVEN, WRITTEN = "given", "written"

SOURCES = {
    "usual": "captions that name it, else templates",
    "captions": "captions of the bundle",
    "templates": "templates over its name",
    GIVEN: "prompts of one’s own, below",
    WRITTEN: "a language model writes them",
}
"""Where the form takes prompts from, in words; the last on one's own machine only: for a stranger
it would ask with the key of whoever serves the page, or load what they name."""

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
    writer: str = ""
    writer_model: str = ""

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
        writer: str = "",
        writer_model: str = "",
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
        given: tuple[str, ...] = ()
        if source == GIVEN:
            from blindspots_hub.stress.prompt_lines import lines_of
            from blindspots_hub.stress.prompts import LEAST, MOST

            given = tuple(lines_of(lines, "The form"))
            if len(given) < LEAST:
                raise BlindspotsError("Write at least two prompts, one a line.")
            if len(given) > MOST:
                raise BlindspotsError(
                    f"The form holds {len(given):,} prompts: {MOST:,} at most are drawn a concept."
                )
        if source == WRITTEN and not writer.strip():
            raise BlindspotsError(
                "No language model is named: give hf:OWNER/NAME, https://HOST/v1 of a server, or "
                "the folder or Hub id of one that is run here."
            )
        count = len(given) if source == GIVEN else prompts
        chosen = tuple(dict.fromkeys(asked))
        return cls(
            model, against, chosen, source, given, count, seed, generation,
            writer.strip(), writer_model.strip(),
        )  # fmt: skip

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

    def prompts_in(self, text: str, file: str) -> list[str]:
        """The prompts of a file's text; `BlindspotsError` where there is none, or are too many."""
        from blindspots_hub.stress.prompt_lines import lines_of
        from blindspots_hub.stress.prompts import MOST

        lines = lines_of(text, file or "The file")
        if len(lines) > MOST:
            raise BlindspotsError(
                f"{file} holds {len(lines):,} prompts: {MOST:,} at most are drawn a concept."
            )
        return [" ".join(line.split()) for line in lines]

    def measured(
        self, bundle: Bundle, choice: StressChoice, session: str
    ) -> list[tuple[float, float] | None]:
        """Seconds to load and an image of both models, where earlier runs here measured them."""
        from blindspots_hub.runs.pace import measured_before

        root = self.beside(bundle, session) or bundle.root
        asked = drawing(choice.generation)
        return measured_before(root, choice.model, choice.against or None, **asked)

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
            from blindspots_hub.runs.stress_prompts import written_by
            from blindspots_hub.stress.prompt_sources import PromptSource

            fetched = sum(size for _, size in reached)
            self.make_room(place, evaluation_bytes(choice.images, fetched))
            if choice.source == GIVEN:
                source = PromptSource.given(choice.lines, "The form")
            elif choice.source == WRITTEN:
                yield Event("load the language model", 0, 1)
                source = written_by(choice.writer, choice.writer_model or None)
            else:
                source = PromptSource(choice.source)
            result: StressResult = yield from stress_test.stream(
                bundle,
                choice.model,
                concepts=choice.concepts,
                against=choice.against or None,
                prompts=source,
                num_prompts=choice.prompts,
                seed=choice.seed,
                work_dir=place,
                **drawing(choice.generation),
                batch_size=self.site.batch_size,
                previews=True,
                access=reached[0][0],
                access_against=reached[-1][0],
            )
            return result

        result = yield from self.alone(tested)
        bundle.refresh()
        return result
