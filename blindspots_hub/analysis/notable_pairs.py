"""Pairs by distance: memorised, trivial, incongruent, or ill captioned (5.4, Fig. 11).

The smallest distances are pairs that a model draws as they are: memorised where the same picture is
also its answer to other captions or other seeds, or lies as near to a natural image that is not the
pair's own; trivial otherwise. The largest are incongruent: a failure, or a caption that describes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Example, Finding, columns_of_models
from blindspots_hub.analysis.caption_noise import noisy, scored_noise, wilson
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import SAME

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TENTH = 10
"""The smallest and the largest distances are each one in so many."""

CHANCE = 0.01
"""Share of mismatched pairs that are as near as what is called near."""

SHOWN = 6
"""Pairs of each kind that are shown."""


@dataclass(frozen=True)
class Pairs:
    """Rows (indices into the model's pairs) of each kind, the most telling first.

    `noisy` (N,) are captions that describe nothing, by `scorer`: "captions alone" or "scores".
    """

    memorised: np.ndarray
    trivial: np.ndarray
    incongruent: np.ndarray
    noisy: np.ndarray
    scorer: str
    distance: np.ndarray


def pairs(bundle: Bundle, model: str) -> Pairs:
    """Sort the pairs of a model."""
    table = bundle.distances(model)
    distance, copies = (table[name].to_numpy() for name in ("distance", "duplicates"))
    ids = bundle.image_ids(model)
    near = near_in_codes(*bundle.compared(model), distance)
    near &= _near_in_features(bundle, model, ids)
    again = (copies > 0) | _same_for_other_seeds(bundle, model) | _near_another(bundle, model, ids)
    order = np.argsort(distance, kind="stable")
    tenth = max(1, len(distance) // TENTH)
    smallest = order[:tenth]
    memorised = order[(near & again)[order]]
    captions = bundle.captions(ids)
    scored = scored_noise(bundle, model, ids)
    return Pairs(
        memorised,
        smallest[~(near & again)[smallest]],
        order[::-1][:tenth],
        noisy(captions) if scored is None else scored,
        "captions alone" if scored is None else "scores",
        distance,
    )


CAUSES = ("other captions", "other seeds", "another image")
"""Why a near pair is memorised: it answers other captions or other seeds too, or is as near to a
natural image that is not its own."""


def causes(bundle: Bundle, model: str, memorised: np.ndarray) -> dict[str, np.ndarray]:
    """Why each of the pairs `memorised` (N,) is, as bool (N,) by cause.

    The nearest other image is compared with in `pairs` only: it is the cause where no other is.
    """
    copied = memorised & (bundle.distances(model)["duplicates"].to_numpy() > 0)
    again = memorised & _same_for_other_seeds(bundle, model)
    return dict(zip(CAUSES, (copied, again, memorised & ~copied & ~again), strict=True))


def near_in_codes(
    natural: ImageEnergies, generated: ImageEnergies, distance: np.ndarray
) -> np.ndarray:
    """Whether a pair is nearer than all but `CHANCE` of pairs with another pair's natural image.

    By distance (N,) over the size of both, so that images in which little fires are not near to
    all. Row i of both sides (N, n) is pair i.
    """
    x, y = natural.matrix, generated.matrix
    sizes = [np.sqrt(np.asarray(m.multiply(m).sum(axis=1)).ravel()) for m in (x, y)]
    shift = np.roll(np.arange(len(distance)), 1)
    other = x[shift] - y
    apart = np.sqrt(np.asarray(other.multiply(other).sum(axis=1)).ravel())
    size = np.maximum(sizes[0] + sizes[1], 1e-9)
    chance = apart / np.maximum(sizes[0][shift] + sizes[1], 1e-9)
    return np.asarray(distance / size <= max(np.quantile(chance, CHANCE), SAME))


def _unit(tokens: np.ndarray) -> np.ndarray:
    tokens = np.asarray(tokens, np.float32)
    return np.asarray(tokens / np.maximum(np.linalg.norm(tokens, axis=1, keepdims=True), 1e-9))


def _sides(bundle: Bundle, model: str, ids: list[str]) -> tuple[np.ndarray, np.ndarray] | None:
    """Unit class tokens of natural and generated images, row by row; None where not kept."""
    found = [bundle.features(name) for name in (NATURAL, model)]
    if found[0] is None or found[1] is None:
        return None
    row = {pair_id: i for i, pair_id in enumerate(bundle.image_ids(NATURAL))}
    rows = np.array([row[pair_id] for pair_id in ids], np.int64)
    return _unit(found[0].class_token[rows]), _unit(found[1].class_token)


def _near_in_features(bundle: Bundle, model: str, ids: list[str]) -> np.ndarray:
    """The same by cosines of class tokens; all pairs where no features were kept."""
    sides = _sides(bundle, model, ids)
    if sides is None:
        return np.ones(len(ids), bool)
    natural, generated = sides
    own = (natural * generated).sum(axis=1)
    chance = (np.roll(natural, 1, axis=0) * generated).sum(axis=1)
    return np.asarray(own >= np.quantile(chance, 1 - CHANCE))


def _near_another(bundle: Bundle, model: str, ids: list[str]) -> np.ndarray:
    """Whether the nearest natural image, by class token, is not the pair's own, and as good as it.

    Nearer than any natural image is to any of the others in 99 of 100 cases; no pair where no
    features were kept. Copies of the own image (captions that share it) do not count.
    """
    sides = _sides(bundle, model, ids)
    if sides is None:
        return np.zeros(len(ids), bool)
    natural, generated = sides
    own = (natural * generated).sum(axis=1)
    best = np.empty(len(ids), np.float32)
    usual = np.empty(len(ids), np.float32)
    for start in range(0, len(ids), 1024):
        block = slice(start, start + 1024)
        rows = np.arange(start, min(start + 1024, len(ids)))
        among = natural[block] @ natural.T
        among[rows - start, rows] = -1
        usual[block] = among.max(axis=1)
        there = generated[block] @ natural.T
        there[among > 1 - 1e-3] = -1  # copies of the own image
        there[rows - start, rows] = -1
        best[block] = there.max(axis=1)
    return np.asarray((best > own) & (best >= np.quantile(usual, 0.99)))


def _same_for_other_seeds(bundle: Bundle, model: str) -> np.ndarray:
    """Whether the second drawing of a caption is a near-copy of the first."""
    drawings = bundle.generation_energies(model)
    same = np.zeros(len(bundle.image_ids(model)), bool)
    if drawings is not None:
        second, rows = drawings.number(1)
        if len(rows):
            first = drawings.number(0)[0].take(rows).matrix
            apart = first - second.matrix
            far = np.asarray(apart.multiply(apart).sum(axis=1)).ravel()
            size = np.asarray(first.multiply(first).sum(axis=1)).ravel()
            same[rows] = (far <= SAME**2 * size) & (size > 0)
    return same


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Counts of each kind, and the share of the largest differences that is caption noise."""
    (model,) = models
    found = pairs(bundle, model)
    top = int(found.noisy[found.incongruent].sum())
    tenth, n = len(found.incongruent), len(found.distance)
    low, high = wilson(top, tenth)
    share, overall = top / tenth, float(found.noisy.mean())
    sentence = (
        f"{bundle.model(model).title}: of {n:,} pairs {len(found.memorised):,} are memorised "
        f"and {len(found.trivial):,} of the {tenth:,} nearest trivial; of the {tenth:,} with the "
        f"largest difference {share:.0%} [{low:.0%}, {high:.0%}] have a caption that describes "
        f"nothing, against {overall:.0%} of all (judged by {found.scorer})."
    )
    ids = bundle.image_ids(model)
    table = {
        "model": [model],
        "pairs": [n],
        **{
            name: [[ids[row] for row in getattr(found, name).tolist()]]
            for name in ("memorised", "trivial", "incongruent")
        },
        "noisy_share": [share],
        "noisy_low": [low],
        "noisy_high": [high],
        "noisy_overall": [overall],
        "judged_by": [found.scorer],
    }
    return Finding(table, sentence, partial(figure, found), examples(model, ids, found))


def examples(model: str, ids: list[str], found: Pairs) -> tuple[Example, ...]:
    """The first pairs of each kind, natural image and the model's beside it."""
    kinds = ("memorised", "trivial", "incongruent")
    return tuple(
        Example(source, ids[row], kind)
        for kind in kinds
        for row in getattr(found, kind)[:SHOWN].tolist()
        for source in (NATURAL, model)
    )


def figure(found: Pairs) -> Figure:
    """Distances in ascending order, a mark a kind."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, SUPPRESSED, plain_layout

    order = np.argsort(found.distance, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    made = go.Figure()
    noisy_rows = np.flatnonzero(found.noisy)
    for name, rows, colour in (
        ("all", order, MIDDLE),
        ("memorised", found.memorised, SUPPRESSED[0]),
        ("noisy caption", noisy_rows, EXAGGERATED[1]),
    ):
        made.add_trace(
            go.Scattergl(
                x=place[rows], y=found.distance[rows], mode="markers", name=name,
                marker={"size": 5, "color": colour},
            )
        )  # fmt: skip
    made.update_layout(**plain_layout("pairs by distance", "‖ξ(x′) − ξ(x)‖₂, energy"))
    made.update_layout(showlegend=True)
    return made


def _ids(name: str, what: str) -> Column:
    return Column(name, pa.list_(pa.string()), "", f"pair_ids {what}")


COLUMNS = (
    *columns_of_models(1),
    Column("pairs", pa.int64(), "pairs", "pairs that were measured"),
    _ids("memorised", "near, and answered to other captions or seeds or near another image too"),
    _ids("trivial", "of the nearest tenth that are not memorised"),
    _ids("incongruent", "of the tenth with the largest difference"),
    Column("noisy_share", pa.float64(), "share", "of the incongruent, captions that are noise"),
    Column("noisy_low", pa.float64(), "share", "lower end of its 95% interval (Wilson)"),
    Column("noisy_high", pa.float64(), "share", "upper end of that interval"),
    Column("noisy_overall", pa.float64(), "share", "of all pairs, captions that are noise"),
    Column("judged_by", pa.string(), "", "captions alone, or scores of an image-text model"),
)

ANALYSIS = Analysis(
    name="notable_pairs",
    title="Memorised, trivial and incongruent pairs",
    section="5.4, Fig. 11",
    about="one model",
    needs=("tables", "energies", "paired"),
    row="one model",
    columns=COLUMNS,
    find=find,
)
