"""What the endpoints answer, as types: their JSON schemas stand in the page's API description."""

from __future__ import annotations

from typing_extensions import TypedDict


class Judgement(TypedDict):
    """One concept under one δ of one model.

    `delta` (0 to 1, 0.5 is as in nature) with its pointwise interval, `times` generated over
    natural energy (null where the natural images have none); null where it could not be judged.
    `support`: pairs in which it fires on either side; where there are no pairs, images of both
    sides together.
    """

    model: str
    concept: int
    label: str
    state: str
    certain: bool
    delta: float | None
    low: float | None
    high: float | None
    times: float | None
    q: float | None
    support: float


class BlindspotsAnswer(TypedDict):
    """What a model draws too rarely or too much; `sentence` says what was judged."""

    model: str
    delta: str
    pairs: int
    concepts: int
    judged: int
    sentence: str
    blindspots: list[Judgement]
    link: str


class Picture(TypedDict):
    """An image that shows a concept; `address` is relative to the page."""

    source: str
    pair_id: str
    caption: str
    address: str


class ConceptAnswer(TypedDict):
    """A concept in every model of the bundle, its nearest concepts, and images that show it."""

    concept: int
    label: str
    models: list[Judgement]
    nearest: list[int]
    pictures: list[Picture]
    link: str


class Change(TypedDict):
    """A concept whose energy differs between two models on the same captions, with its q."""

    concept: int
    label: str
    change: str
    energy_natural: float
    energy_first: float
    energy_second: float
    q: float


class CompareAnswer(TypedDict):
    """Two models: correlation of relative δ with its interval, and what changed.

    `captions` is 0 and `changes` empty where they did not draw the same captions; `note` says why.
    """

    first: str
    second: str
    pearson: float | None
    pearson_low: float | None
    pearson_high: float | None
    concepts: int
    captions: int
    counts: dict[str, int]
    changes: list[Change]
    note: str
    link: str


class Pair(TypedDict):
    """A caption with the distance of its two images (energy), and their addresses."""

    pair_id: str
    caption: str
    distance: float
    mean_delta: float
    natural: str
    generated: str


class PairsAnswer(TypedDict):
    """Pairs by the distance of their images."""

    model: str
    pairs: int
    shown: list[Pair]


class EvaluateAnswer(TypedDict):
    """A step of an evaluation, or its end: then `model` is measured, and `link` shows it."""

    stage: str
    done: int
    total: int
    finished: bool
    model: str
    sentence: str
    link: str
