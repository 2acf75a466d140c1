"""Who says how well a name fits an image: captions, a similarity model, or a model that is asked.

A judge scores images for a name; `faithfulness.auroc` makes a figure of the scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.naming.answers import read_yes
from blindspots_hub.naming.backends.base import (
    Question,
    Similarity,
    TextModel,
    Unanswered,
    ask_all,
)
from blindspots_hub.naming.faithfulness import LEAST, auroc, held_out
from blindspots_hub.naming.masking import Exhibits, small
from blindspots_hub.naming.prompts import Prompt
from blindspots_hub.naming.terms import Terms, terms_of
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.spelling import singular

CAPTIONS = "captions"
"""The name of the judge that reads the images' own captions."""

ASKED = 6
"""Held-out images on either side that a model is asked about."""

EMBEDDED = 1_000
"""Held-out images that a similarity model looks at."""

STAGE = "judge names"


@dataclass(frozen=True)
class Judged:
    """The AUROC of a concept's name, and of another concept's on the same images; NaN: unknown."""

    concept: int
    names: float
    shuffled: float


class Judge(Protocol):
    """Scores names; `name` is what the column `judge` of the labels says."""

    name: str

    def judging(self, names: Sequence[tuple[int, str, str]]) -> Work[list[Judged]]:
        """The figures of (concept, its name, another's name), as they come."""
        ...


@dataclass
class Held:
    """The held-out natural images of a bundle, and in which of them a concept fires."""

    bundle: Bundle

    @cached_property
    def rows(self) -> np.ndarray:
        """int (M,): rows of the natural images that are held out, ascending."""
        return np.flatnonzero(held_out(self.bundle.image_ids(NATURAL)))

    @cached_property
    def ids(self) -> list[str]:
        """Their ids."""
        every = self.bundle.image_ids(NATURAL)
        return [every[row] for row in self.rows.tolist()]

    def fires(self, concept: int) -> np.ndarray:
        """bool (M,): in which a concept fires."""
        column = self.bundle.concept_energies(NATURAL, concept)
        firing = np.zeros(len(self.bundle.image_ids(NATURAL)), bool)
        if column is not None:
            firing[column.rows] = True
        return firing[self.rows]


class CaptionJudge:
    """Whether the image's own caption has the words of a name: no image is looked at."""

    name = CAPTIONS

    def __init__(self, held: Held) -> None:
        self._held = held
        self._terms = Terms.of(held.bundle.captions(held.ids), least=1)
        self._place = {singular(name): i for i, name in enumerate(self._terms.names)}
        self._columns = self._terms.present.tocsc()

    def scores(self, name: str) -> np.ndarray:
        """float (M,): the share of the name's words that each caption has."""
        words = sorted({singular(t) for t in terms_of(name) if " " not in t})
        score = np.zeros(len(self._held.rows))
        for word in words:
            if word in self._place:
                score += np.asarray(self._columns[:, self._place[word]].toarray()).ravel()
        return score / max(len(words), 1)

    def judging(self, names: Sequence[tuple[int, str, str]]) -> Work[list[Judged]]:
        """See `Judge`."""
        found = []
        for done, (concept, name, other) in enumerate(names):
            if done % 200 == 0:
                yield Event(STAGE, done, len(names))
            fires = self._held.fires(concept)
            found.append(
                Judged(concept, auroc(self.scores(name), fires), auroc(self.scores(other), fires))
            )
        yield Event(STAGE, len(names), len(names))
        return found


class SimilarityJudge:
    """The cosine of image and name in the space of a CLIP or SigLIP."""

    def __init__(self, held: Held, model: Similarity, exhibits: Exhibits) -> None:
        self.name = model.name
        self._held, self._model, self._exhibits = held, model, exhibits
        self._images: np.ndarray | None = None

    def _embedded(self) -> Work[np.ndarray]:
        """Unit embeddings (M, d) of held-out images; NaN beyond `EMBEDDED`, and of missing ones."""
        if self._images is None:
            ids, step, parts = self._held.ids[:EMBEDDED], 64, []
            for start in range(0, len(ids), step):
                yield Event("look at held-out images", start, len(ids))
                some = ids[start : start + step]
                parts.append(
                    self._model.images([self._exhibits.picture(NATURAL, one) for one in some])
                )
            found = np.concatenate(parts) if parts else np.zeros((0, 1))
            rest = np.full((len(self._held.ids) - len(found), found.shape[1]), np.nan)
            self._images = np.concatenate([found, rest])
        return self._images

    def judging(self, names: Sequence[tuple[int, str, str]]) -> Work[list[Judged]]:
        """See `Judge`."""
        images = yield from self._embedded()
        every = sorted({name for _, *both in names for name in both})
        texts = self._model.texts([f"a photo of {name}" for name in every])
        place = {name: i for i, name in enumerate(every)}
        found = []
        for done, (concept, name, other) in enumerate(names):
            if done % 200 == 0:
                yield Event(STAGE, done, len(names))
            fires = self._held.fires(concept)
            own, else_ = (auroc(images @ texts[place[one]], fires) for one in (name, other))
            found.append(Judged(concept, own, else_))
        yield Event(STAGE, len(names), len(names))
        return found


class AskingJudge:
    """A model that says yes or no of single images, as many of either side."""

    def __init__(
        self, held: Held, model: TextModel, exhibits: Exhibits, prompt: Prompt, asked: int = ASKED
    ) -> None:
        self.name = model.name
        self._held, self._model, self._exhibits = held, model, exhibits
        self._prompt, self._asked = prompt, asked

    def judging(self, names: Sequence[tuple[int, str, str]]) -> Work[list[Judged]]:
        """See `Judge`; concepts without enough images are not asked about."""
        keys: list[tuple[int, int, bool]] = []
        fires = {concept: self._chosen(concept) for concept, *_ in names}

        def questions() -> Iterator[Question]:
            for concept, *both in names:
                for row, firing in fires[concept]:
                    image = self._exhibits.picture(NATURAL, self._held.ids[row])
                    if image is None:
                        continue
                    for which, name in enumerate(both):
                        keys.append((concept, which, firing))
                        yield Question(self._prompt.filled(label=name), (small(image),))

        total = 2 * sum(map(len, fires.values()))
        scores: dict[tuple[int, int], list[tuple[float, bool]]] = {}
        for done, (place, answer) in enumerate(ask_all(self._model, questions()), start=1):
            concept, which, firing = keys[place]
            try:
                if isinstance(answer, Unanswered):
                    raise answer
                said = float(read_yes(answer))
            except Unanswered:
                said = float("nan")
            scores.setdefault((concept, which), []).append((said, firing))
            yield Event(STAGE, done, total)
        return [
            Judged(concept, *(_auroc(scores.get((concept, which), [])) for which in (0, 1)))
            for concept, *_ in names
        ]

    def _chosen(self, concept: int) -> list[tuple[int, bool]]:
        """Held-out images, as many in which it fires as in which it does not; few: none."""
        firing = self._held.fires(concept)
        dice = np.random.default_rng(concept)
        rows = [dice.permutation(np.flatnonzero(firing == side)) for side in (True, False)]
        if min(map(len, rows)) < LEAST:
            return []
        return [
            (int(row), side)
            for side, some in zip((True, False), rows, strict=True)
            for row in some[: self._asked]
        ]


def _auroc(scores: Sequence[tuple[float, bool]]) -> float:
    if not scores:
        return float("nan")
    values, fires = zip(*scores, strict=True)
    return auroc(np.array(values, float), np.array(fires, bool))
