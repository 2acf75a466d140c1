"""Names of concepts: how many have one, by whom, and whether names predict where they fire."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from blindspots_hub.analysis.base import Analysis, Finding
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.labels import Label, rows_of
from blindspots_hub.artifacts.schema import Column
from blindspots_hub.naming.faithfulness import Agreement, Faithfulness, agreement

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LEAST = 2
"""Concepts that two labellers must both have named for an agreement."""

Who = tuple[str, str, str, str]
"""Method, model, prompt and judge of names, "" where there is none."""


def labellers(bundle: Bundle) -> dict[Who, dict[int, Label]]:
    """The names of every labeller, by concept."""
    found: dict[Who, dict[int, Label]] = {}
    for one in rows_of(bundle.label_table):
        who = (one.method, one.model or "", one.prompt or "", one.judge or "")
        found.setdefault(who, {})[one.concept] = one
    return dict(sorted(found.items()))


def find(bundle: Bundle, models: Sequence[str]) -> Finding:
    """A row a labeller: names, faithfulness against shuffled names, agreement with another."""
    every = labellers(bundle)
    live = max(int((bundle.concepts["images"].to_numpy() > 0).sum()), 1)
    columns: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    told: list[str] = []
    figures: list[tuple[str, Faithfulness]] = []
    for who, names in every.items():
        measured = list(names.values())
        faithful = Faithfulness.of(
            [o.faithfulness for o in measured], [o.shuffled for o in measured]
        )
        other, agreed = _nearest(who, every)
        row = {
            "method": who[0], "by": who[1], "prompt": who[2], "judge": who[3],
            "named": len(names), "share": min(len(names) / live, 1.0),
            "judged": faithful.concepts,
            "other": other, "both": agreed.concepts,
            "agreement": agreed.share, "chance": agreed.chance, "kappa": agreed.kappa,
        }  # fmt: skip
        for name in _FIGURES:
            for end, value in zip(_ENDS, getattr(faithful, name), strict=True):
                row[f"{name}{end}"] = value
        for name, value in row.items():
            columns[name].append(value)
        title = _title(who)
        figures.append((title, faithful))
        told.append(_sentence(title, len(names), live, who[3], faithful, other, agreed))
    if not every:
        columns = {c.name: [_NOTHING[c.type]] for c in COLUMNS}
        told = ["No concept has a name: `label` gives names"]
    return Finding(columns, "; ".join(told) + ".", partial(figure, figures))


def _nearest(who: Who, every: dict[Who, dict[int, Label]]) -> tuple[str, Agreement]:
    """The labeller that named most of the same concepts, and how the two agree."""
    best = ""
    both: list[int] = []
    for other, names in every.items():
        shared = sorted(set(names) & set(every[who]))
        if other != who and len(shared) > len(both):
            best, both, theirs = _title(other), shared, names
    if len(both) < LEAST:
        return "", Agreement(len(both), float("nan"), float("nan"))
    return best, agreement([every[who][k].label for k in both], [theirs[k].label for k in both])


def _title(who: Who) -> str:
    return who[0] + (f" by {who[1]}" if who[1] else "")


def _sentence(
    title: str,
    named: int,
    live: int,
    judge: str,
    found: Faithfulness,
    other: str,
    agreed: Agreement,
) -> str:
    told = f"{title}: {named:,} names for {live:,} concepts that fire"
    if found.concepts:
        mean, low, high = found.names
        gain = found.gain
        told += (
            f", AUROC {mean:.2f} [{low:.2f}, {high:.2f}] on held-out images by {judge}, "
            f"{found.shuffled[0]:.2f} where names are shuffled (a gain of {gain[0]:.2f} "
            f"[{gain[1]:.2f}, {gain[2]:.2f}] over {found.concepts:,} concepts)"
        )
    else:
        told += ", not judged on held-out images"
    if other:
        told += (
            f", agrees with {other} on {agreed.share:.0%} of {agreed.concepts:,} "
            f"({agreed.chance:.0%} by chance)"
        )
    return told


def figure(figures: Sequence[tuple[str, Faithfulness]]) -> Figure:
    """Faithfulness of every labeller's names and of shuffled ones, with their intervals."""
    import plotly.graph_objects as go

    from blindspots_hub.analysis.figures import EXAGGERATED, SUPPRESSED, plain_layout

    made = go.Figure()
    known = [(title, one) for title, one in figures if one.concepts]
    for name, colour in (("names", SUPPRESSED[1]), ("shuffled", EXAGGERATED[1])):
        ends = [getattr(one, name) for _, one in known]
        made.add_scatter(
            x=[mean for mean, *_ in ends],
            y=[title for title, _ in known],
            mode="markers",
            name="names" if name == "names" else "shuffled over concepts",
            marker={"size": 9, "color": colour},
            error_x={
                "array": [high - mean for mean, _, high in ends],
                "arrayminus": [mean - low for mean, low, _ in ends],
            },
        )
    made.update_layout(**plain_layout("AUROC on held-out images", ""))
    return made


_FIGURES = ("names", "shuffled", "gain")
_ENDS = ("", "_low", "_high")
_NOTHING: dict[pa.DataType, Any] = {pa.string(): "", pa.int64(): 0, pa.float64(): float("nan")}

_MEANS = {
    "names": "mean AUROC of the names on held-out images",
    "shuffled": "the same of names shuffled over concepts",
    "gain": "mean difference of the two, concept by concept",
}

COLUMNS = (
    Column("method", pa.string(), "", "how the names were found"),
    Column("by", pa.string(), "", "the network that named, or empty"),
    Column("prompt", pa.string(), "", "sha256 of the prompt, or empty"),
    Column("judge", pa.string(), "", "what faithfulness was measured by, or empty"),
    Column("named", pa.int64(), "concepts", "concepts that it named"),
    Column("share", pa.float64(), "share", "of those that fire in natural images"),
    Column("judged", pa.int64(), "concepts", "concepts whose names were judged"),
    *(
        Column(f"{name}{end}", pa.float64(), "", what + ends)
        for name, what in _MEANS.items()
        for end, ends in zip(
            _ENDS, ("", ", lower end of its 95% interval", ", upper end"), strict=True
        )
    ),
    Column("other", pa.string(), "", "the labeller that named most of the same concepts, or empty"),
    Column("both", pa.int64(), "concepts", "concepts that both named"),
    Column("agreement", pa.float64(), "share", "of these have names that share a word"),
    Column("chance", pa.float64(), "share", "the same of names of different concepts"),
    Column("kappa", pa.float64(), "", "agreement beyond chance: 0 for none, 1 for always"),
)

ANALYSIS = Analysis(
    name="names",
    title="Names of concepts",
    section="appendix D",
    about="all models",
    needs=("tables",),
    row="one labeller",
    columns=COLUMNS,
    find=find,
)
