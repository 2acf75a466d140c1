"""Concepts that fire on class and register tokens only, which energies over patches cannot see.

Later work found such concepts in DINOv2 (arXiv 2510.08638).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding, columns_of_models
from blindspots_hub.analysis.caption_noise import wilson
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.schema import TOKEN_FIRES, Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

KINDS = ("class", "registers", "patches")


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """Concepts by the kinds of tokens that they fire on, in natural or generated images."""
    (model,) = models
    table = bundle.optional(TOKEN_FIRES, model)
    assert table is not None  # what the analysis needs was asked for
    images = {
        kind: table[f"{kind}_natural"].to_numpy() + table[f"{kind}_generated"].to_numpy()
        for kind in KINDS
    }
    fires = {kind: count > 0 for kind, count in images.items()}
    anywhere = np.logical_or.reduce(list(fires.values()))
    only = np.flatnonzero(anywhere & ~fires["patches"])
    total = int(anywhere.sum())
    low, high = wilson(len(only), total)
    share = len(only) / total if total else 0.0
    often = only[np.argsort(-(images["class"] + images["registers"])[only], kind="stable")]
    title = bundle.model(model).title
    sentence = (
        f"{title}: {len(only):,} of {total:,} concepts that fire at all ({share:.1%} [{low:.1%}, "
        f"{high:.1%}]) fire on class or register tokens only; energies over patches miss them."
        if total
        else f"{title}: no concept fires on any token."
    )
    rows = {
        "model": [model],
        "firing": [total],
        **{kind: [int(fired.sum())] for kind, fired in fires.items()},
        "beside_patches": [often.tolist()],
    }
    return Finding(rows, sentence, partial(figure, {k: int(f.sum()) for k, f in fires.items()}))


def figure(counts: dict[str, int]) -> Figure:
    """Concepts that fire on each kind of token."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import SUPPRESSED, plain_layout

    bars = go.Bar(x=list(counts), y=list(counts.values()), marker={"color": SUPPRESSED[1]})
    made = go.Figure(bars)
    made.update_layout(**plain_layout("", "concepts that fire on it"))
    return made


COLUMNS = (
    *columns_of_models(1),
    Column("firing", pa.int64(), "concepts", "that fire on any token of either side's images"),
    Column("class", pa.int64(), "concepts", "that fire on the class token"),
    Column("registers", pa.int64(), "concepts", "that fire on a register"),
    Column("patches", pa.int64(), "concepts", "that fire on a patch"),
    Column(
        "beside_patches", pa.list_(pa.int64()), "", "that never fire on a patch, oftenest first"
    ),
)

ANALYSIS = Analysis(
    name="token_kinds",
    title="Concepts of class and register tokens",
    section="reviewers",
    about="one model",
    needs=("fires",),
    row="one model",
    columns=COLUMNS,
    find=find,
)
