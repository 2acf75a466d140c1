"""Are concepts orthogonal directions of DINOv2, as the paper assumes (section 3, appendix K)?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding
from blindspots_hub.analysis.frechet import leave_out_error
from blindspots_hub.analysis.groups import live_atoms
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.utils.numerals import digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST = 1_500
"""Atoms, and images, whose cosines are all taken."""


def cosines(rows: np.ndarray) -> np.ndarray:
    """Cosines of every two of `rows` (m, d), (m (m - 1) / 2,)."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return np.asarray((unit @ unit.T)[np.triu_indices(len(unit), 1)])


def usual(width: int) -> float:
    """Mean |cosine| of random directions of that many dimensions, √(2 / (π d)) nearly."""
    from scipy.special import gammaln

    return float(np.exp(gammaln(width / 2) - gammaln((width + 1) / 2)) / np.sqrt(np.pi))


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Cosines of live atoms beside random directions, and the dictionary's singular values."""
    rng = np.random.default_rng(0)
    atoms = bundle.atoms()
    live = live_atoms(bundle)
    some = atoms[rng.permutation(live)[:MOST]].astype(np.float64)
    found = cosines(some) if len(some) > 1 else np.zeros(0)
    width = atoms.shape[1]
    singular = np.sqrt(np.maximum(np.linalg.eigvalsh(atoms.T.astype(np.float64) @ atoms), 0))
    mean = float(np.abs(found).mean()) if len(found) else np.nan
    error = (
        leave_out_error(lambda rows: float(np.abs(cosines(some[rows])).mean()), len(some))
        if len(some) > 20
        else np.nan
    )
    features = bundle.features(NATURAL)
    images = np.nan
    if features is not None and features.n_images > 1:
        tokens = features.class_token[rng.permutation(features.n_images)[:MOST]]
        images = float(np.abs(cosines(tokens.astype(np.float64))).mean())
    effective = float((singular**2).sum() ** 2 / max((singular**4).sum(), 1e-30))
    if len(some) < 3:
        sentence = "Too few concepts fire to say whether their atoms are orthogonal."
    else:
        near = "about as random directions are" if mean < 1.5 * usual(width) else "not orthogonal"
        more = f" ± {digits(1.96 * error)}" if np.isfinite(error) else ""
        sentence = (
            f"The mean |cosine| of two live atoms is {mean:.3f}{more}, of random directions of "
            f"{width} dimensions {usual(width):.3f}: {near}; {len(live):,} live concepts share "
            f"{effective:.0f} effective dimensions, and the dictionary stretches tokens by "
            f"{digits(singular.min())} to {digits(singular.max())}."
        )
    table = {
        "live": [len(live)],
        "width": [width],
        "cosine": [mean],
        "cosine_error": [error],
        "cosine_random": [usual(width)],
        "close": [float((np.abs(found) > 0.5).mean()) if len(found) else np.nan],
        "cosine_images": [images],
        "effective": [effective],
        "s_min": [float(singular.min())],
        "s_max": [float(singular.max())],
    }
    return Finding(table, sentence, partial(figure, found, width))


def figure(found: np.ndarray, width: int) -> Figure:
    """The cosines' distribution, and that of random directions."""
    import plotly.graph_objects as go
    from scipy.stats import beta

    from blindspots_hub.analysis.figures import MIDDLE, SUPPRESSED, plain_layout

    density, edges = np.histogram(found, bins=100, range=(-1, 1), density=len(found) > 0)
    middles = (edges[:-1] + edges[1:]) / 2
    half = (width - 1) / 2
    made = go.Figure(go.Bar(x=middles, y=density, marker={"color": SUPPRESSED[1]}, name="atoms"))
    random = beta.pdf((middles + 1) / 2, half, half) / 2
    made.add_scatter(x=middles, y=random, line={"color": MIDDLE}, name="random directions")
    made.update_layout(**plain_layout("cosine of two atoms", "density"), bargap=0)
    made.update_layout(showlegend=True)
    return made


COLUMNS = (
    Column("live", pa.int64(), "concepts", "that fire in a natural image"),
    Column("width", pa.int64(), "", "dimensions of a token"),
    Column("cosine", pa.float64(), "cosine", "mean |cosine| of two live atoms"),
    Column("cosine_error", pa.float64(), "cosine", "its standard error, leaving out tenths"),
    Column("cosine_random", pa.float64(), "cosine", "the same of random directions"),
    Column("close", pa.float64(), "share", "of the pairs of live atoms with |cosine| above 0.5"),
    Column("cosine_images", pa.float64(), "cosine", "mean |cosine| of two images' class tokens"),
    Column("effective", pa.float64(), "", "participation ratio of the dictionary's spectrum"),
    Column("s_min", pa.float64(), "", "least singular value of the dictionary"),
    Column("s_max", pa.float64(), "", "largest singular value"),
)

ANALYSIS = Analysis(
    name="orthogonality",
    title="Orthogonality of concepts",
    section="3 and reviewers",
    about="all models",
    needs=("atoms",),
    row="the concept space",
    columns=COLUMNS,
    find=find,
)
