"""The names of one labeller in one bundle, found and judged, and kept as they come."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.labels import CAPTION_WORDS, Label, changed, rows_of
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.answers import read_name
from blindspots_hub.naming.backends.base import (
    Question,
    Similarity,
    TextModel,
    Unanswered,
    ask_all,
)
from blindspots_hub.naming.caption_words import words_without_held_out
from blindspots_hub.naming.choice import Labeller
from blindspots_hub.naming.estimate import TRIED, Estimate
from blindspots_hub.naming.faithfulness import other_names
from blindspots_hub.naming.judges import (
    Judge,
)
from blindspots_hub.naming.masking import LEAST, Exhibits
from blindspots_hub.naming.prompts import Prompt
from blindspots_hub.naming.terms import Terms
from blindspots_hub.naming.vocabulary import Vocabulary, read_vocabulary
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.label_request import Naming
from blindspots_hub.utils.folder_lock import in_turn

SAVED_EVERY = 20
"""Names after which the table is written."""

STAGE = "name concepts"

_FEW = f"it fires in fewer than {LEAST} images that can be shown."


class LabelRun:
    """The names of one labeller in one bundle: those that were there, and those that come."""

    def __init__(self, bundle: Bundle, who: Labeller, how: Naming, prompt_hash: str | None) -> None:
        self.bundle, self.who, self.how, self.prompt_hash = bundle, who, how, prompt_hash
        self.exhibits = Exhibits(bundle)
        self.named = {
            one.concept: one
            for one in rows_of(bundle.label_table)
            if (one.method, one.model, one.prompt) == (who.method, who.model, prompt_hash)
        }
        self._new: dict[int, Label] = {}
        self.expected: Estimate | None = None

    def keep(self, concept: int, name: str, score: float | None, sentence: str | None) -> None:
        """Take a name in; every `SAVED_EVERY`th time the table is written."""
        day = date.today().isoformat()
        self._take(
            Label(concept, name, self.who.method, self.who.model, score, None, day,
                  sentence or None, self.prompt_hash)
        )  # fmt: skip
        if len(self._new) >= SAVED_EVERY and self.who.method != CAPTION_WORDS:
            self.save()

    def _take(self, one: Label) -> None:
        self.named[one.concept] = self._new[one.concept] = one

    def save(self) -> None:
        """Write what is new into the bundle's labels, as they are there now."""
        if self._new:
            with in_turn(self.bundle.root):
                there = load_bundle(self.bundle.root).label_table
                add_tables(self.bundle.root, {LABELS: changed(there, self._new.values())})
            self._new = {}

    def naming(self, concepts: Sequence[int], asked: Prompt, unnamed: Counter[str]) -> Work[None]:
        """Name `concepts`; why some get no name is counted in `unnamed`."""
        silent = {k for k in concepts if not self._fires(k)}
        if silent:
            unnamed["it fires in no image of this bundle."] = len(silent)
        left = [k for k in concepts if k not in silent]
        if self.who.text is not None:
            yield from self._ask(self.who.text, left, asked, unnamed)
        elif self.who.similarity is not None:
            yield from self._nearest(self.who.similarity, left, unnamed)
        else:
            yield from self._words(left, unnamed)

    def _fires(self, concept: int) -> bool:
        return any(
            float(self.bundle.deltas(model)[column][concept].as_py()) > 0
            for model in self.bundle.models
            for column in ("images_natural", "images_generated")
        ) or bool(self.bundle.concepts["images"][concept].as_py())

    def _words(self, concepts: Sequence[int], unnamed: Counter[str]) -> Work[None]:
        yield Event(STAGE, 0, len(concepts))
        ids = self.bundle.image_ids(NATURAL)
        energies, captions = self.bundle.energies(NATURAL), self.bundle.captions(ids)
        words = words_without_held_out(ids, energies, captions, concepts)
        for concept, word in zip(concepts, words, strict=True):
            if word is None:
                unnamed["no word of its captions stands out."] += 1
            else:
                self.keep(concept, word.name, word.zeta, word.sentence)
        yield Event(STAGE, len(concepts), len(concepts))

    def _nearest(
        self, model: Similarity, concepts: Sequence[int], unnamed: Counter[str]
    ) -> Work[None]:
        if self.how.vocabulary is not None:
            words = read_vocabulary(self.how.vocabulary)
        else:
            words = list(Terms.of(self.bundle.captions(self.bundle.image_ids(NATURAL))).names)
        if not words:
            raise BlindspotsError(
                "The captions of this bundle have no words: give a vocabulary (--vocabulary FILE)."
            )
        ready = Vocabulary.of(words, model)
        for done, concept in enumerate(concepts):
            yield Event(STAGE, done, len(concepts))
            exhibit = self.exhibits.of(concept)
            if exhibit is None:
                unnamed[_FEW] += 1
            else:
                self.keep(concept, *ready.nearest(exhibit), None)
        yield Event(STAGE, len(concepts), len(concepts))

    def _ask(
        self, model: TextModel, concepts: Sequence[int], asked: Prompt, unnamed: Counter[str]
    ) -> Work[None]:
        if not model.sees_images:
            raise BlindspotsError(
                f"{model.name} takes no images: give an image-text-to-text model."
            )
        places: list[int] = []

        def questions() -> Iterator[Question]:
            for concept in concepts:
                exhibit = self.exhibits.of(concept)
                if exhibit is None:
                    unnamed[_FEW] += 1
                    continue
                places.append(concept)
                text = asked.filled(fires=len(exhibit.fires), silent=len(exhibit.silent))
                yield Question(text, exhibit.images)

        yield Event(STAGE, 0, len(concepts))
        began, enough = self.how.clock(), max(TRIED, model.at_once)
        for done, (place, answer) in enumerate(ask_all(model, questions()), start=1):
            if done == enough and self.expected is not None:
                self.expected = self.expected.timed((self.how.clock() - began) / done)
                yield Event(STAGE, done, len(concepts), {"estimate": self.expected.words})
            try:
                if isinstance(answer, Unanswered):
                    raise answer
                found = read_name(answer)
                self.keep(places[place], found.label, None, found.sentence)
            except Unanswered as why:
                unnamed[str(why)] += 1
            yield Event(STAGE, done, len(concepts))
        yield Event(STAGE, len(concepts), len(concepts))

    def judging(self, concepts: Sequence[int], judge: Judge) -> Work[None]:
        """Judge the names that were not judged so before, each with another's beside it."""
        every = [k for k in concepts if k in self.named]
        left = [k for k in every if self.how.again or self.named[k].judge != judge.name]
        if not left or len(every) < 2:
            return
        other = dict(zip(every, (every[i] for i in other_names(len(every))), strict=True))
        asked = [(k, self.named[k].label, self.named[other[k]].label) for k in left]
        for start in range(0, len(asked), SAVED_EVERY if self.who.text else len(asked)):
            some = asked[start : start + (SAVED_EVERY if self.who.text else len(asked))]
            found = yield from judge.judging(some)
            for one in found:
                self._take(
                    replace(
                        self.named[one.concept],
                        faithfulness=_known(one.names),
                        shuffled=_known(one.shuffled),
                        judge=judge.name,
                    )
                )
            self.save()


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
