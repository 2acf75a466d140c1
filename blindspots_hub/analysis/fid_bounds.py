"""Fréchet distance in token space and in code space, with Theorem 6's bounds (appendix K).

Theorem 6 is about codes that are a linear map of tokens, z = D a: their distance lies between
s_min² and s_max² times that of the tokens, s the singular values of the dictionary D (n, d). The
codes of an RA-SAE are no linear map, so that theirs need not; both are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, NotAnswerable, columns_of_models
from blindspots_hub.analysis.chosen_images import Chosen
from blindspots_hub.analysis.frechet import frechet, frechet_wide, leave_out_error
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.utils.numerals import digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST = 1_200
"""Images of a side in every distance: Fréchet distances depend on their number, and codes are as
many squared to compare."""

LEAST = 20
"""Images of a side below which a covariance says nothing."""


@lru_cache(maxsize=4)
def stretched(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """(D'D)^½ (d, d), which maps tokens as D does but for a turn, and D's singular values (d,)."""
    atoms = bundle.atoms().astype(np.float64)
    values, vectors = np.linalg.eigh(atoms.T @ atoms)
    singular = np.sqrt(np.maximum(values, 0))
    return (vectors * singular) @ vectors.T, singular


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Distances of one model to the natural images in each space, beside two natural halves."""
    (model,) = models
    sides = [bundle.features(name) for name in (NATURAL, model)]
    chosen = Chosen.of(bundle, model, MOST)
    kept = [chosen.natural, chosen.generated]
    if min(map(len, kept)) < 2 * LEAST:
        raise NotAnswerable(f"{ANALYSIS.title}: this needs {2 * LEAST} images of each side.")
    tokens = [
        np.asarray(one.mean_patch_token[rows], np.float64)
        for one, rows in zip(sides, kept, strict=True)
        if one is not None
    ]
    root, singular = stretched(bundle)
    if root.shape[0] != tokens[0].shape[1]:
        raise NotAnswerable(f"{ANALYSIS.title}: this needs atoms of the width of the features.")
    rows, columns = bundle.grid
    codes = [
        bundle.energies(name).take(own).matrix / (rows * columns)
        for name, own in zip((NATURAL, model), kept, strict=True)
    ]
    token = frechet(*tokens)
    size = min(map(len, tokens))

    def without(left: np.ndarray) -> float:
        # A pair is left out with both images; sides of unlike length have no pairs.
        return frechet(*(side[left[left < len(side)]] for side in tokens))

    error = leave_out_error(without, max(map(len, tokens)))
    linear = frechet(*(one @ root for one in tokens))
    code = frechet_wide(*codes)
    half = len(kept[0]) // 2
    null = frechet(tokens[0][:half], tokens[0][half:])
    null_code = frechet_wide(codes[0][:half], codes[0][half:])
    low, high = token * singular.min() ** 2, token * singular.max() ** 2
    inside = low * (1 - 1e-6) <= linear <= high * (1 + 1e-6)
    table = {
        "model": [model],
        "images": [size],
        "token": [token],
        "token_error": [error],
        "token_null": [null],
        "code": [code],
        "code_null": [null_code],
        "linear": [linear],
        "s_min": [float(singular.min())],
        "s_max": [float(singular.max())],
        "linear_inside": [bool(inside)],
        "code_inside": [bool(low <= code <= high)],
    }
    sentence = (
        f"{bundle.model(model).title}: the Fréchet distance of mean patch tokens is "
        f"{digits(token, 3)} ± {digits(1.96 * error)} on {size:,} images (natural halves: "
        f"{digits(null, 3)}); of mean codes {digits(code, 3)} ({digits(null_code, 3)}). Theorem 6 "
        f"puts codes that are linear in the tokens between {digits(low, 3)} and "
        f"{digits(high, 3)}: theirs is {digits(linear, 3)}, {'inside' if inside else 'OUTSIDE'}; "
        f"the true codes, which are not linear, lie "
        f"{'inside too' if low <= code <= high else 'outside'}."
    )
    return Finding(table, sentence, partial(figure, low, high, linear, code))


def figure(low: float, high: float, linear: float, code: float) -> Figure:
    """The bounds as a bar, and where linear and true codes lie."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, SUPPRESSED, plain_layout

    made = go.Figure()
    line = {"width": 12, "color": MIDDLE}
    made.add_scatter(x=[low, high], y=["Theorem 6"] * 2, mode="lines", line=line)
    for name, value, colour in (
        ("linear codes", linear, SUPPRESSED[1]),
        ("codes", code, EXAGGERATED[1]),
    ):
        marker = {"size": 12, "color": colour}
        made.add_scatter(x=[value], y=[name], mode="markers", marker=marker)
    made.update_layout(**plain_layout("Fréchet distance in code space", ""), xaxis_type="log")
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("images", pa.int64(), "images", "of each side, in every distance but the null's"),
    Column("token", pa.float64(), "token²", "Fréchet distance of mean patch tokens"),
    Column(
        "token_error", pa.float64(), "token²", "its standard error, leaving out tenths of pairs"
    ),
    Column("token_null", pa.float64(), "token²", "the same of two natural halves"),
    Column("code", pa.float64(), "code²", "Fréchet distance of mean codes over patches"),
    Column("code_null", pa.float64(), "code²", "the same of two natural halves"),
    Column("linear", pa.float64(), "token²", "of D times the mean patch token"),
    Column("s_min", pa.float64(), "", "least singular value of the dictionary D"),
    Column("s_max", pa.float64(), "", "largest singular value of D"),
    Column("linear_inside", pa.bool_(), "", "whether Theorem 6 holds of the linear codes"),
    Column("code_inside", pa.bool_(), "", "whether the true codes lie within its bounds too"),
)

ANALYSIS = Analysis(
    name="fid_bounds",
    title="Fréchet distance under the dictionary",
    section="K, Theorem 6",
    about="one model",
    needs=("energies", "features", "atoms"),
    row="one model",
    columns=COLUMNS,
    find=find,
)
