"""`label`: names for the concepts of a bundle, and how faithful they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.labels import CAPTION_WORDS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import BLINDSPOTS
from blindspots_hub.naming.choice import labeller_of, similarity_of
from blindspots_hub.naming.estimate import estimate
from blindspots_hub.naming.faithfulness import Faithfulness
from blindspots_hub.naming.judges import (
    ASKED,
    CAPTIONS,
    AskingJudge,
    CaptionJudge,
    Held,
    Judge,
    SimilarityJudge,
)
from blindspots_hub.naming.prompts import Prompt, prompt
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.label_request import Labelled, Naming, Source
from blindspots_hub.runs.label_run import STAGE, LabelRun

MOST = 200
"""Concepts that are named unless told otherwise, where a model is asked."""


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
    run = LabelRun(bundle, who, how, texts["name"].sha256 if asks else None)
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


def _judge(run: LabelRun, asked: Prompt) -> Judge | None:
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
