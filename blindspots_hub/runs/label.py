"""`label`: names for the concepts of a bundle, and how faithful they are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from time import monotonic

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.labels import CAPTION_WORDS, Label, changed, rows_of
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import BLINDSPOTS
from blindspots_hub.naming.answers import read_name
from blindspots_hub.naming.backends.base import (
    Question,
    Similarity,
    TextModel,
    Unanswered,
    ask_all,
)
from blindspots_hub.naming.caption_words import words_without_held_out
from blindspots_hub.naming.choice import Labeller, labeller_of, similarity_of
from blindspots_hub.naming.estimate import TRIED, Estimate, Prices, estimate
from blindspots_hub.naming.faithfulness import Faithfulness, other_names
from blindspots_hub.naming.judges import (
    ASKED,
    CAPTIONS,
    AskingJudge,
    CaptionJudge,
    Held,
    Judge,
    SimilarityJudge,
)
from blindspots_hub.naming.masking import LEAST, Exhibits
from blindspots_hub.naming.prompts import Prompt, prompt
from blindspots_hub.naming.terms import Terms
from blindspots_hub.naming.vocabulary import Vocabulary, read_vocabulary
from blindspots_hub.progress import Call, Event, Work

MOST = 200
"""Concepts that are named unless told otherwise, where a model is asked."""

SAVED_EVERY = 20
"""Names after which the table is written."""

STAGE = "name concepts"

Source = str | Path | TextModel | Similarity


@dataclass(frozen=True)
class Naming:
    """How concepts are named.

    `prompts` is a folder whose name.txt and judge.txt take the place of ours; `vocabulary` a file
    of words, one a line, for similarity models (else the words of the captions). `judge` is a CLIP
    or SigLIP, "captions", "none", or None: the labeller itself, by its captions, images or answers.
    `again` names anew what was named so before. `clock` tells seconds.
    """

    concepts: Sequence[int] = ()
    most: int | None = None
    model: str | None = None
    judge: str | Path | Similarity | None = None
    vocabulary: Path | None = None
    prompts: Path | None = None
    at_once: int | None = None
    prices: Prices = field(default_factory=Prices)
    again: bool = False
    device: str | None = None
    only_estimate: bool = False
    clock: Callable[[], float] = monotonic


@dataclass(frozen=True)
class Labelled:
    """What came of it: names that there are now by this method, and their faithfulness.

    `asked` concepts were to be named, `named` have a name, `before` of these had it before;
    `unnamed` says how many have none, by why. `expected` is the estimate that was told before,
    its time by the first answers once there were some.
    """

    method: str
    model: str | None
    asked: int
    named: int
    before: int
    unnamed: dict[str, int]
    faithfulness: Faithfulness
    judge: str | None
    expected: Estimate | None

    @property
    def sentences(self) -> list[str]:
        """What a terminal says."""
        who = self.method + (f" by {self.model}" if self.model else "")
        kept = f", {self.before:,} of them before" if self.before else ""
        told = [f"{self.named:,} of {self.asked:,} concepts have a name ({who}{kept})."]
        told += [f"{count:,} without: {why}" for why, count in self.unnamed.items()]
        found = self.faithfulness
        if found.concepts:
            told.append(
                f"Faithfulness, judged by {self.judge}: AUROC {_interval(found.names)} over "
                f"{found.concepts:,} names on held-out images; {_interval(found.shuffled)} where "
                f"names are shuffled; a gain of {_interval(found.gain)}."
            )
        elif self.judge is not None and self.named:
            told.append("No name could be judged: too few held-out images fire, or can be shown.")
        return told


@Call
def label(root: str | Path, source: Source, naming: Naming | None = None) -> Work[Labelled]:
    """Name concepts of the bundle in the folder `root`, and keep the names in its labels.

    `source` is "caption-words"; the address of a chat-completions server; `hf:OWNER/NAME` for
    Hugging Face's inference providers; a folder or Hub id of an image-text-to-text model, a CLIP or
    a SigLIP; or a `TextModel` or `Similarity`. Names are kept as they come, so that the same call
    goes on where it was stopped. Without `naming.concepts` those are named that are judged,
    blindspots first; `naming.only_estimate` asks nothing.

    Raises `BlindspotsError` where a concept is none, or where nothing can be asked (no key, no such
    model, one that takes no images); names so far are kept then.
    """
    how = naming or Naming()
    bundle = load_bundle(Path(root))
    chosen = _chosen(bundle, how.concepts)
    who = labeller_of(source, how.model, how.device, how.at_once)
    asks = who.text is not None
    texts = {name: prompt(name, how.prompts) for name in ("name", "judge")}
    run = _Run(bundle, who, how, texts["name"].sha256 if asks else None)
    if how.most is not None or (who.method != CAPTION_WORDS and not how.concepts):
        chosen = chosen[: how.most if how.most is not None else MOST]
    left = [k for k in chosen if how.again or k not in run.named]
    if who.text is not None:
        own = how.judge is None
        expected = estimate(
            len(left), texts["name"].text, texts["judge"].text if own else None, 2 * ASKED,
            who.text.at_once, how.prices,
        )  # fmt: skip
        run.expected = expected
        yield Event(STAGE, 0, len(left), {"estimate": expected.words})
    before = len(chosen) - len(left)
    unnamed: Counter[str] = Counter()
    if not how.only_estimate:
        try:
            yield from run.naming(left, texts["name"], unnamed)
        finally:
            run.save()
        judge = _judge(run, texts["judge"])
        if judge is not None:
            try:
                yield from run.judging(chosen, judge)
            finally:
                run.save()
    found = [run.named[k] for k in chosen if k in run.named]
    return Labelled(
        who.method,
        who.model,
        len(chosen),
        len(found),
        before,
        dict(unnamed.most_common()),
        Faithfulness.of([o.faithfulness for o in found], [o.shuffled for o in found]),
        next((one.judge for one in found if one.judge), None),
        run.expected,
    )


class _Run:
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
            there = load_bundle(self.bundle.root, contents=False).label_table
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


_FEW = f"it fires in fewer than {LEAST} images that can be shown."


def _chosen(bundle: Bundle, concepts: Sequence[int]) -> list[int]:
    """The concepts asked for, else all that a model's table judges, blindspots first."""
    for concept in concepts:
        if not 0 <= concept < bundle.n_concepts:
            raise BlindspotsError(
                f"{concept} is no concept: they are numbered from 0 to {bundle.n_concepts - 1}."
            )
    if concepts:
        return list(dict.fromkeys(concepts))
    if not bundle.models:
        images = bundle.concepts["images"].to_numpy()
        return [int(k) for k in np.argsort(-images, kind="stable") if images[k] > 0]
    rank = np.zeros((len(bundle.models), bundle.n_concepts))
    support = np.zeros(bundle.n_concepts)
    for row, model in enumerate(bundle.models):
        table = bundle.deltas(model)
        states = np.array(table["relative_state"].to_pylist())
        rank[row] = np.where(np.isin(states, BLINDSPOTS), 2, ~np.isin(states, _UNJUDGED))
        support = np.maximum(support, table["support"].to_numpy())
    best = rank.max(axis=0)
    order = np.lexsort((-support, -best))
    return [int(k) for k in order if best[k] > 0]


_UNJUDGED = ("dead", "undetermined")


def _judge(run: _Run, asked: Prompt) -> Judge | None:
    told, who = run.how.judge, run.who
    if told == "none":
        return None
    held = Held(run.bundle)
    if told == CAPTIONS or (told is None and who.text is None and who.similarity is None):
        return CaptionJudge(held)
    if told is not None:
        return SimilarityJudge(held, similarity_of(told, run.how.device), run.exhibits)
    if who.similarity is not None:
        return SimilarityJudge(held, who.similarity, run.exhibits)
    assert who.text is not None
    return AskingJudge(held, who.text, run.exhibits, asked)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interval(figure: tuple[float, float, float]) -> str:
    return f"{figure[0]:.2f} [{figure[1]:.2f}, {figure[2]:.2f}]"
