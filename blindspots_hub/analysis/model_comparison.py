"""A model against another on the same captions: what was fixed, what broke (section 5.5, Fig. 12).

Meant for a model and its post-trained variant; any two models of a bundle are compared alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.changes import Changes, off_natural
from blindspots_hub.analysis.distances import spread
from blindspots_hub.analysis.shared_pairs import shared_energies, shared_ids
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.measure.settings import METHOD, MeasureSettings
from blindspots_hub.utils.numerals import digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


_OFF = ("gap_low", "gap_high", "q")


@lru_cache(maxsize=64)
def changes(bundle: Bundle, first: str, second: str) -> Changes:
    """What changed from `first` to `second` on the captions that both drew."""
    settings = bundle.model(second).measured_with
    natural, (a, b) = shared_energies(bundle, (first, second))
    ids = shared_ids(bundle, (first, second))
    known = [_off(bundle, model, ids, settings) for model in (first, second)]
    return Changes.of(natural, a, b, settings, known)


def _off(
    bundle: Bundle, model: str, ids: list[str], settings: MeasureSettings
) -> np.ndarray | None:
    """What the bundle's table says, where it was measured on just these pairs and like this.

    Also where captions were drawn several times: the table knows of single generations, which
    energies that are their means do not.
    """
    entry, table = bundle.model(model), bundle.deltas(model)
    if entry.method != METHOD or entry.measured_with != settings or bundle.image_ids(model) != ids:
        return None
    return off_natural({name: table[name].to_numpy() for name in _OFF}, settings)


def ordered(bundle: Bundle, models: Sequence[str]) -> tuple[str, str]:
    """The two models, a base before its variant."""
    first, second = models
    base = bundle.model(first).run.get("variant_of")
    return (second, first) if base == second else (first, second)


def _of_pairs(bundle: Bundle, model: str, ids: list[str], column: str) -> np.ndarray:
    values = bundle.distances(model)[column].to_numpy()
    row = {pair_id: i for i, pair_id in enumerate(bundle.image_ids(model))}
    return np.asarray(values[[row[pair_id] for pair_id in ids]], np.float64)


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Distances of both models on shared pairs, and the paired difference of every concept."""
    first, second = ordered(bundle, models)
    ids = shared_ids(bundle, models)
    found = changes(bundle, first, second)
    table: dict[str, list[object]] = {"model": [first], "other": [second], "pairs": [len(ids)]}
    medians = []
    for column in ("distance", "mean_delta"):
        for name, model in (("model", first), ("other", second)):
            median, width = spread(_of_pairs(bundle, model, ids, column))
            table[f"{name}_{column}_median"] = [median]
            table[f"{name}_{column}_spread"] = [width]
            medians.append((median, width))
    closer = _of_pairs(bundle, second, ids, "distance") < _of_pairs(bundle, first, ids, "distance")
    table |= {
        "nearer": [float(closer.mean())],
        "judged": [found.judged],
        **{name: [found.concepts(name).tolist()] for name in ("fixed", "broken", "moved")},
        "unchanged": [found.counts["unchanged"]],
    }
    titles = [bundle.model(name).title for name in (first, second)]
    (a, wide_a), (b, wide_b) = medians[:2]
    sentence = (
        f"From {titles[0]} to {titles[1]}, on {len(ids):,} captions: {found.words(bundle.labels)}; "
        f"median distance of pairs {digits(a, 3)} ± {digits(wide_a, 3)} (spread) against "
        f"{digits(b, 3)} ± {digits(wide_b, 3)}."
    )
    return Finding(table, sentence, partial(figure, bundle, first, second))


def figure(bundle: Bundle, first: str, second: str) -> Figure:
    """Histograms of the pairs' distances and mean δ, both models over each other."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from blindspots_hub.analysis.figures import EXAGGERATED, SUPPRESSED, plain_layout

    ids = shared_ids(bundle, (first, second))
    names = ("distance", "mean_delta")
    made = make_subplots(rows=1, cols=2)
    for place, column in enumerate(names, start=1):
        values = [_of_pairs(bundle, model, ids, column) for model in (first, second)]
        low, high = min(v.min() for v in values), max(v.max() for v in values)
        edges = np.linspace(low, high if high > low else low + 1, 61)
        for model, own, colour in zip(
            (first, second), values, (SUPPRESSED[1], EXAGGERATED[1]), strict=True
        ):
            counts, _ = np.histogram(own, bins=edges)
            made.add_trace(
                go.Scatter(
                    x=(edges[:-1] + edges[1:]) / 2,
                    y=counts,
                    mode="lines",
                    line={"color": colour, "shape": "hvh"},
                    name=bundle.model(model).title,
                    showlegend=place == 1,
                ),
                row=1,
                col=place,
            )
    layout = plain_layout("‖ξ(x′) − ξ(x)‖₂, energy", "pairs")
    made.update_layout(**layout)
    made.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.15})
    made.update_xaxes(title="mean σ(d/τ)", showgrid=False, row=1, col=2)
    return made


def _numbers(column: str, what: str, unit: str) -> tuple[Column, ...]:
    return tuple(
        Column(f"{which}_{column}_{kind}", pa.float64(), unit, f"{words} of {what}, {whose}")
        for which, whose in (("model", "first model"), ("other", "second model"))
        for kind, words in (("median", "median"), ("spread", "interquartile range"))
    )


COLUMNS = (
    *columns_of_models(2),
    Column("pairs", pa.int64(), "pairs", "captions that both models drew"),
    *_numbers("distance", "‖ξ(x') − ξ(x)‖₂", "energy"),
    *_numbers("mean_delta", "the pairs' mean σ(d/τ)", "probability"),
    Column("nearer", pa.float64(), "share", "pairs whose distance is smaller in the second model"),
    Column("judged", pa.int64(), "concepts", "concepts that fire in enough pairs of either"),
    Column("fixed", pa.list_(pa.int64()), "", "concepts that differ and are nearer to natural"),
    Column("broken", pa.list_(pa.int64()), "", "concepts that differ and are farther"),
    Column("moved", pa.list_(pa.int64()), "", "concepts that differ, off natural in neither"),
    Column("unchanged", pa.int64(), "concepts", "judged concepts that do not differ"),
)

ANALYSIS = Analysis(
    name="model_comparison",
    title="A model against its variant",
    section="5.5, Fig. 12",
    about="two models",
    needs=("tables", "energies", "same pairs"),
    row="two models on the captions that both drew",
    columns=COLUMNS,
    find=find,
)
