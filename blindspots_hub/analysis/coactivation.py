"""Which concepts fire together: co-activation M = Z'Z of energies over images (appendix F).

Fig. 18 to 20: sparsity over thresholds, entries that are not shared with the natural side, spectra,
and the cosines of leading eigenvectors. Whatever a model differs in, two halves of the natural
images differ too; so half a model's images are compared with half the natural ones, and the two
natural halves with each other. Entries are counted in the rows of some concepts, which tell
their share in all to the error that is given.
`token_coactivation` says the same of single tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.coactivation_shared import THRESHOLDS, Shared, shared_entries
from blindspots_hub.analysis.coactivation_spectrum import TOP, PowerLaw, Spectrum
from blindspots_hub.analysis.shared_pairs import taken
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.measure.energies import ImageEnergies

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Halves:
    """Rows of the two halves of the natural images, by chance."""

    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, images: int) -> Halves:
        """The same halves whichever model is looked at."""
        order = np.random.default_rng(0).permutation(images)
        return cls(np.sort(order[: images // 2]), np.sort(order[images // 2 : images // 2 * 2]))


@lru_cache(maxsize=4)
def _natural(bundle: Bundle, ids: tuple[str, ...]) -> tuple[Spectrum, Spectrum, Shared]:
    """Spectra of both halves of the natural images, and what the halves share."""
    natural = taken(bundle.energies(NATURAL), bundle.image_ids(NATURAL), list(ids))
    halves = Halves.of(natural.n_images)
    one, other = natural.take(halves.first), natural.take(halves.second)
    return Spectrum.of(one.matrix), Spectrum.of(other.matrix), shared_entries(one, other)


@dataclass(frozen=True)
class Coactivation:
    """Co-activation of half the model's images beside a natural half of other captions.

    `entries`, `overlap` and `cosines` are of these two; `null_…` of the two natural halves.
    """

    entries: Shared
    null: Shared
    natural: Spectrum
    generated: Spectrum
    overlap: float
    null_overlap: float
    cosines: np.ndarray
    null_cosines: np.ndarray


def coactivation(bundle: Bundle, model: str) -> Coactivation:
    """Everything of one model.

    The model's images of the second half of the captions stand against natural images of the first,
    as the natural ones of the second do: neither is nearer for having more images or the same
    captions.
    """
    natural, generated = bundle.compared(model)
    halves = Halves.of(natural.n_images)
    paired = bundle.model(model).paired
    ours = generated.take((halves if paired else Halves.of(generated.n_images)).second)
    return against(
        natural.take(halves.first), ours, _natural(bundle, tuple(bundle.natural_ids(model)))
    )


def against(
    first: ImageEnergies, ours: ImageEnergies, halves: tuple[Spectrum, Spectrum, Shared]
) -> Coactivation:
    """`ours` beside the first natural half; `halves`: spectra of both, and what they share."""
    one, other, null = halves
    own = Spectrum.of(ours.matrix)
    return Coactivation(
        shared_entries(first, ours),
        null,
        one,
        own,
        one.overlap(own),
        one.overlap(other),
        one.cosines(own),
        one.cosines(other),
    )


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Sparsity, unshared entries, spectra and subspaces of one model, each beside the null."""
    (model,) = models
    found = coactivation(bundle, model)
    return Finding(
        row(bundle, model, found), words(bundle, model, found, "images"), partial(figure, found)
    )


def row(bundle: Bundle, model: str, found: Coactivation) -> dict[str, list[Any]]:
    """The row of a model, by column."""
    cells = bundle.n_concepts * (bundle.n_concepts - 1)
    best = [_best(cosines) for cosines in (found.cosines, found.null_cosines)]
    table: dict[str, list[Any]] = {
        "model": [model],
        "thresholds": [list(THRESHOLDS)],
        "sparsity_natural": [(1 - found.entries.one / cells).tolist()],
        "sparsity_generated": [(1 - found.entries.other / cells).tolist()],
        "unshared": [found.entries.unshared.tolist()],
        "unshared_null": [found.null.unshared.tolist()],
        "unshared_error": [found.entries.error],
        "eigenvalues_natural": [found.natural.values.tolist()],
        "eigenvalues_generated": [found.generated.values.tolist()],
        "overlap": [found.overlap],
        "overlap_null": [found.null_overlap],
        "cosine": [best[0]],
        "cosine_null": [best[1]],
    }
    for side in ("natural", "generated"):
        law = PowerLaw.of(getattr(found, side).values)
        table[f"exponent_{side}"] = [law.exponent]
        table[f"power_law_r2_{side}"] = [law.r2]
        table[f"exponential_r2_{side}"] = [law.exponential_r2]
    return table


def _best(cosines: np.ndarray) -> float:
    """Mean over eigenvectors of the best cosine that any of the other side reaches."""
    return float(cosines.max(axis=1).mean()) if cosines.size else float("nan")


def words(bundle: Bundle, model: str, found: Coactivation, where: str) -> str:
    """Sentence: unshared entries and subspace, model against null; `where`: images or tokens."""
    title = bundle.model(model).title
    unshared, null = found.entries.unshared[0], found.null.unshared[0]
    law, natural = (PowerLaw.of(side.values) for side in (found.generated, found.natural))
    if not np.isfinite([unshared, null, found.overlap, law.r2]).all():
        return f"{title}: too few concepts fire together to compare co-activation over {where}."
    low, high = (unshared + side * 1.96 * found.entries.error for side in (-1, 1))
    # The rows that are counted are the same for both; as if they were others, the error is no less.
    error = float(np.hypot(found.entries.error, found.null.error))
    fits = "fits better than" if law.r2 > law.exponential_r2 else "fits no better than"
    more, less = unshared - null > 1.96 * error, null - unshared > 1.96 * error
    chance = "more than" if more else "less than" if less else "no more than can be"
    return (
        f"{title}: {unshared:.1%} [{max(low, 0):.1%}, {min(high, 1):.1%}] of the pairs of "
        f"concepts that fire together in its {where} never do in as many natural {where} of other "
        f"captions, against {null:.1%} between two natural halves ({chance} chance); its "
        f"{len(found.generated.values)} leading eigenvectors span {found.overlap:.0%} of the "
        f"natural subspace, natural halves {found.null_overlap:.0%} of each other's; eigenvalues "
        f"fall as rank^-{law.exponent:.2f} (R² = {law.r2:.2f}; natural {natural.exponent:.2f}), "
        f"which {fits} an exponential."
    )


def figure(found: Coactivation) -> Figure:
    """Unshared entries by threshold, spectra, and the cosines of leading eigenvectors."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, SUPPRESSED, plain_layout

    made = make_subplots(
        rows=2, cols=2, vertical_spacing=0.2,
        subplot_titles=("entries not shared", "eigenvalues", "cosines, model", "natural halves"),
    )  # fmt: skip
    labels = [f"> {threshold:g}" for threshold in THRESHOLDS]
    for values, colour, name in (
        (found.entries.unshared, EXAGGERATED[1], "model"),
        (found.null.unshared, MIDDLE, "natural halves"),
    ):
        line = go.Scatter(x=labels, y=values, name=name, line={"color": colour})
        made.add_trace(line, row=1, col=1)
    for spectrum, colour, name in (
        (found.generated, EXAGGERATED[1], "model"),
        (found.natural, SUPPRESSED[1], "natural"),
    ):
        rank = np.arange(1, len(spectrum.values) + 1)
        line = go.Scatter(x=rank, y=spectrum.values, name=name, line={"color": colour})
        made.add_trace(line, row=1, col=2)
    for place, cosines in enumerate((found.cosines, found.null_cosines), start=1):
        cells = go.Heatmap(
            z=np.round(cosines, 3), zmin=0, zmax=1, showscale=False,
            colorscale=[[0, "#222a"], [1, EXAGGERATED[1]]],
        )  # fmt: skip
        made.add_trace(cells, row=2, col=place)
    made.update_layout(**plain_layout("threshold, energy²", "share"))
    made.update_layout(height=640, margin_t=40)
    made.update_xaxes(type="log", title="rank", row=1, col=2)
    made.update_yaxes(type="log", row=1, col=2)
    made.update_yaxes(autorange="reversed", row=2)
    return made


def _curve(name: str, what: str) -> Column:
    return Column(name, pa.list_(pa.float64()), "share", what)


COLUMNS = (
    *columns_of_models(1),
    Column("thresholds", pa.list_(pa.float64()), "energy²", "that entries of M / N lie above"),
    _curve("sparsity_natural", "entries beyond the diagonal not above each threshold, natural"),
    _curve("sparsity_generated", "the same of the model's images"),
    _curve("unshared", "entries above each threshold that the natural M of other captions lacks"),
    _curve("unshared_null", "the same between two natural halves"),
    Column("unshared_error", pa.float64(), "share", "standard error of unshared's first"),
    Column("eigenvalues_natural", pa.list_(pa.float64()), "energy²", "largest, of M / N"),
    Column("eigenvalues_generated", pa.list_(pa.float64()), "energy²", "the model's"),
    Column("overlap", pa.float64(), "share", f"of the subspaces of the {TOP} leading eigenvectors"),
    Column("overlap_null", pa.float64(), "share", "the same between two natural halves"),
    Column("cosine", pa.float64(), "cosine", "mean of each leading eigenvector's best cosine"),
    Column("cosine_null", pa.float64(), "cosine", "the same between two natural halves"),
    *(
        Column(f"{name}_{side}", pa.float64(), "", f"{what}, {side}")
        for side in ("natural", "generated")
        for name, what in (
            ("exponent", "a of eigenvalue ∝ rank^-a"),
            ("power_law_r2", "R² of that in logarithms"),
            ("exponential_r2", "R² of an exponential fall, to hold it against"),
        )
    ),
)

ANALYSIS = Analysis(
    name="coactivation",
    title="Concepts that fire together",
    section="F, Fig. 18 to 20",
    about="one model",
    needs=("tables", "energies"),
    row="one model",
    columns=COLUMNS,
    find=find,
)
