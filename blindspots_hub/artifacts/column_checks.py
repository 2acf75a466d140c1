"""What every column of a table may hold, and the sentences about what it holds instead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Union

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blindspots_hub.artifacts.limits import CAPTION, GRID, LIST, NAME, SENTENCE, TITLE
from blindspots_hub.artifacts.parquet_bounds import plain, text_fault
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    DELTAS,
    GENERATIONS,
    IMAGE_TEXT,
    LABELS,
    NATURAL_IMAGES,
    OWN_NATURAL,
    PAIR_DISTANCES,
    PAIRS,
    STRESS_DIRECTIONS,
    STRESS_IMAGES,
    STRESS_TESTS,
    STRESS_VERDICTS,
    THUMBNAILS,
    TOKEN_FIRES,
)
from blindspots_hub.measure.delta import STATES


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; `null` and `nan` say whether it may be unknown."""

    low: float = -math.inf
    high: float = math.inf
    null: bool = False
    nan: bool = False


@dataclass(frozen=True)
class Text:
    """A text of at most `longest` characters, of `allowed` where that is given."""

    longest: int = NAME
    null: bool = False
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Row:
    """The number of the row."""


@dataclass(frozen=True)
class Id:
    """A name, each once; `ascending` from row to row."""

    ascending: bool = True


@dataclass(frozen=True)
class Flag:
    """True or false."""


@dataclass(frozen=True)
class Listed:
    """A list of at most `longest` members that each pass `member`."""

    member: Union[Number, Text]  # noqa: UP007 (evaluated at run time on Python 3.10)
    longest: int = LIST


Rule = Union[Number, Text, Row, Id, Flag, Listed]  # noqa: UP007

_SHARE = Number(0, 1)
_FROM_0 = Number(0)
_SCORE = Number(-1e6, 1e6, null=True, nan=True)
_COSINES = Listed(Number(-1.001, 1.001))
_PLACE = Number(-1e9, 1e9, null=True)
_MAYBE_SHARE = Number(0, 1, null=True)


def _with_ends(name: str, rule: Number) -> dict[str, Rule]:
    return dict.fromkeys((name, f"{name}_low", f"{name}_high"), rule)


def _interval(name: str, low: float, high: float) -> dict[str, Rule]:
    ends = [f"{name}{infix}_{end}" for infix in ("", "_selected") for end in ("low", "high")]
    return {name: Number(low, high), **{end: Number(low, high, null=True) for end in ends}}


RULES: Mapping[str, Mapping[str, Rule]] = {
    PAIRS.path: {
        "pair_id": Id(),
        "caption": Text(CAPTION),
        "url": Text(CAPTION, null=True),
        "image_sha256": Text(64, null=True),
        "image_size": Number(0, 2**48, null=True),
    },
    GENERATIONS.path: {
        "pair_id": Text(NAME),
        "draw": Number(0, 2**20),
        "seed": Number(null=True),
        "image_sha256": Text(64, null=True),
        "flags": Listed(Text(NAME)),
        "status": Text(NAME),
    },
    NATURAL_IMAGES.path: {"pair_id": Id(), "caption": Text(CAPTION)},
    CONCEPTS.path: {
        "concept": Row(),
        "x": _PLACE,
        "y": _PLACE,
        "x_codes": _PLACE,
        "y_codes": _PLACE,
        "cluster": Number(-1, 2**30),
        "label": Text(TITLE, null=True),
        "images": Number(0, 2**40),
        "frequency": _SHARE,
        "nearest": Listed(_FROM_0),
        "nearest_cosine": _COSINES,
        "often_with": Listed(_FROM_0),
        "often_with_cosine": _COSINES,
    },
    DELTAS.path: {
        "concept": Row(),
        "images_natural": _FROM_0,
        "images_generated": _FROM_0,
        "support": _FROM_0,
        "energy_natural": _FROM_0,
        "energy_generated": _FROM_0,
        **_interval("gap", -1e30, 1e30),
        **_interval("delta", 0, 1),
        **_interval("relative_gap", -1, 1),
        **_interval("relative_delta", 0, 1),
        "delta_bound": Number(0, nan=True),
        "p": Number(0, 1, nan=True),
        "q": Number(0, 1, nan=True),
        "sampler_share": Number(0, 1, null=True),
        "state": Text(allowed=STATES),
        "certain": Flag(),
        "relative_state": Text(allowed=STATES),
        "relative_certain": Flag(),
        "top_natural": Listed(Text(NAME)),
        "top_generated": Listed(Text(NAME)),
    },
    PAIR_DISTANCES.path: {
        "pair_id": Id(),
        "distance": Number(0, null=True),
        "mean_delta": Number(0, 1, null=True),
        "duplicates": Number(0, 2**40),
    },
    THUMBNAILS.path: {
        "source": Text(NAME),
        "pair_id": Text(NAME),
        "caption": Text(CAPTION),
    },
    LABELS.path: {
        "concept": Number(0),
        "label": Text(TITLE),
        "method": Text(TITLE),
        "model": Text(TITLE, null=True),
        "score": Number(null=True, nan=True),
        "faithfulness": Number(0, 1, null=True, nan=True),
        "date": Text(NAME),
        "sentence": Text(SENTENCE, null=True),
        "prompt": Text(NAME, null=True),
        "shuffled": Number(0, 1, null=True, nan=True),
        "judge": Text(TITLE, null=True),
    },
    OWN_NATURAL.path: {"pair_id": Id()},
    IMAGE_TEXT.path: {
        "pair_id": Id(),
        "natural": _SCORE,
        "mismatched": _SCORE,
        "generated": _SCORE,
        "scorer": Text(TITLE),
    },
    TOKEN_FIRES.path: {name: Number(0, 2**31) for name in TOKEN_FIRES.names},
    STRESS_TESTS.path: {
        "concept": _FROM_0,
        "model": Text(NAME),
        "against": Text(NAME, null=True),
        "verdict": Text(allowed=STRESS_VERDICTS),
        "direction": Text(null=True, allowed=STRESS_DIRECTIONS),
        "reference": Text(allowed=("against", "natural", "none")),
        "sentence": Text(CAPTION),
        "origin": Text(TITLE),
        "prompts": Number(0, 2**20),
        "num_images_per_prompt": Number(1, 2**20),
        "seed": Number(),
        "level": _FROM_0,
        **{name: Number(0, 2**40) for name in ("images", "images_against", "images_natural")},
        **_with_ends("share", _MAYBE_SHARE),
        "share": _SHARE,
        **_with_ends("share_against", _MAYBE_SHARE),
        **_with_ends("share_natural", _MAYBE_SHARE),
        **_with_ends("fold", Number(0, 1e9, null=True)),
        "p": _MAYBE_SHARE,
        "p_holm": _MAYBE_SHARE,
        "concepts": Number(0, 2**20),
        "date": Text(NAME),
    },
    STRESS_IMAGES.path: {
        "concept": _FROM_0,
        "model": Text(NAME),
        "drawn_by": Text(NAME),
        "prompt": Text(CAPTION),
        "draw": Number(0, 2**20),
        "seed": Number(null=True),
        "energy": _FROM_0,
        "shows": Flag(),
        "image_sha256": Text(64, null=True),
        "patches": Listed(Number(0, GRID**2)),
        "codes": Listed(_FROM_0),
    },
}
"""What the columns hold beside their types; images are looked at apart."""

_TOLERANCE = 1e-6
"""By which a share may leave its range, by rounding."""


def column_faults(name: str, column: pa.ChunkedArray, rule: Rule) -> Iterator[str]:
    """What is wrong with a column of the table `name`, as predicates ("holds …")."""
    null = isinstance(rule, (Number, Text)) and rule.null
    if column.null_count and not null:
        yield f"is empty in {column.null_count:,} rows"
    match rule:
        case Number():
            yield from _number_faults(_numbers(column), rule)
        case Text():
            yield from _text_faults(column, rule)
        case Row():
            found = _numbers(column)
            if len(found) != len(column) or (found != np.arange(len(found))).any():
                yield "is not the number of the row"
        case Id():
            yield from _id_faults(column, rule)
        case Listed():
            yield from _list_faults(column, rule)


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    found: np.ndarray = pc.drop_null(column).to_numpy()
    return found


def _number_faults(found: np.ndarray, rule: Number) -> Iterator[str]:
    if found.dtype.kind == "f":
        nan = np.isnan(found)
        if nan.any() and not rule.nan:
            yield f"is no number in {int(nan.sum()):,} rows"
        found = found[~nan]
        if np.isinf(found).any():
            yield "is infinite"
            return
    slack = _TOLERANCE if found.dtype.kind == "f" else 0
    if len(found) and (found.min() < rule.low - slack or found.max() > rule.high + slack):
        yield (
            f"lies between {found.min():.6g} and {found.max():.6g}, outside "
            f"{rule.low:g} to {rule.high:g}"
        )


def _text_faults(column: pa.ChunkedArray, rule: Text) -> Iterator[str]:
    if fault := text_fault(column, rule.longest):
        yield fault
    elif rule.allowed is not None:
        words = set(plain(column).unique().to_pylist()) - {None}
        if strange := sorted(words - set(rule.allowed)):
            yield f"holds {strange[0][:60]!r}, which is none of {', '.join(rule.allowed)}"


def _id_faults(column: pa.ChunkedArray, rule: Id) -> Iterator[str]:
    if fault := text_fault(column, NAME):
        yield fault
        return
    ids = plain(column)
    if pc.count_distinct(ids, mode="all").as_py() != len(ids):
        yield "names something twice"
    elif rule.ascending and len(ids) > 1 and not pc.all(pc.less(ids[:-1], ids[1:])).as_py():
        yield "does not ascend"


def _list_faults(column: pa.ChunkedArray, rule: Listed) -> Iterator[str]:
    longest = pc.max(pc.list_value_length(column)).as_py() or 0
    if longest > rule.longest:
        yield f"holds a list of {longest:,} members, of {rule.longest} at most"
        return
    members = pa.chunked_array([chunk.flatten() for chunk in column.chunks])
    if members.null_count:
        yield "holds a list with an empty member"
    elif isinstance(rule.member, Text):
        yield from _text_faults(members, rule.member)
    else:
        yield from _number_faults(_numbers(members), rule.member)


def interval_faults(table: pa.Table) -> Iterator[str]:
    """Intervals of a table whose lower end lies above the upper one."""
    for low in table.column_names:
        high = low.removesuffix("low") + "high"
        if low.endswith("_low") and high in table.column_names:
            wrong = pc.any(pc.greater(table[low], table[high])).as_py()
            if wrong:
                yield f"{low} lies above {high}"
