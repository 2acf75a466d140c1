"""`compare`: two models or checkpoints, or a series, concept by concept on the same captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from blindspots_hub.analysis.changes import Changes
from blindspots_hub.analysis.shared_pairs import taken
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.condition import Condition

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Side:
    """One model of one bundle."""

    bundle: Bundle
    model: str

    @classmethod
    def named(cls, source: str, bundle: Bundle | None = None) -> Side:
        """`BUNDLE#MODEL`, or `BUNDLE` where it holds one model; a model's name of `bundle`.

        Raises `BlindspotsError` where there is no such model, or several without a name.
        """
        if bundle is not None:
            bundle.model(source)
            return cls(bundle, source)
        where, _, model = source.partition("#")
        opened = load_bundle(where)
        if not model and len(opened.models) != 1:
            there = ", ".join(opened.models) or "none"
            raise BlindspotsError(
                f"{source} does not say which model is meant: write {where}#MODEL; it has {there}."
            )
        model = model or next(iter(opened.models))
        opened.model(model)
        return cls(opened, model)

    @property
    def title(self) -> str:
        """The model's title."""
        return self.bundle.model(self.model).title


@dataclass(frozen=True)
class Step:
    """One model against the first of a series; `changes` from that to this."""

    model: str
    title: str
    changes: Changes
    labels: tuple[str, ...]

    @property
    def values(self) -> dict[str, float]:
        """Everything that a condition may be about, by name."""
        found = self.changes
        share = 1 - found.counts["unchanged"] / found.judged if found.judged else 0.0
        return {
            **found.counts, "judged": found.judged, "pairs": found.pairs, "changed_share": share
        }  # fmt: skip

    def to_pandas(self) -> Any:
        """Every judged concept with its paired difference, interval, q and what it became."""
        import pandas as pd

        return pd.DataFrame(self.changes.columns(self.labels))


@dataclass(frozen=True)
class Comparison:
    """A series of models, each against the first; the last step is what gates ask about."""

    first: str
    title: str
    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        """The last model against the first."""
        return self.steps[-1]

    @property
    def sentences(self) -> list[str]:
        """A sentence a step."""
        return [
            f"From {self.title} to {step.title}, on {step.changes.pairs:,} captions: "
            f"{step.changes.words(step.labels)}."
            for step in self.steps
        ]

    def holds(self, condition: str) -> bool:
        """Whether e.g. "broken > 0" or "broken > 3 or changed_share >= 0.1" is so of the last step.

        Names are `condition.NAMES`. Anything else is a `BlindspotsError`.
        """
        return Condition.parse(condition).holds(self.last.values)

    def to_json(self) -> dict[str, Any]:
        """Counts and changed concepts of every step."""
        return {
            "first": self.first,
            "steps": [
                {
                    "model": step.model,
                    **step.values,
                    "concepts": {
                        change: [_concept(step, int(k)) for k in step.changes.concepts(change)]
                        for change in ("fixed", "broken", "moved")
                    },
                }
                for step in self.steps
            ],
        }

    def figure(self) -> Figure:
        """How many concepts were fixed and broken since the first model, a point a model."""
        import plotly.graph_objects as go

        from blindspots_hub.analysis.figures import EXAGGERATED, MIDDLE, SUPPRESSED, plain_layout

        made = go.Figure()
        colours = {"fixed": SUPPRESSED[1], "broken": EXAGGERATED[1], "moved": MIDDLE}
        for change, colour in colours.items():
            made.add_scatter(
                x=[self.title, *(step.title for step in self.steps)],
                y=[0, *(step.changes.counts[change] for step in self.steps)],
                name=change,
                line={"color": colour},
            )
        made.update_layout(**plain_layout("", f"concepts changed since {self.title}"))
        made.update_layout(showlegend=True)
        return made

    def __repr__(self) -> str:
        return "\n".join(self.sentences)


def _concept(step: Step, concept: int) -> dict[str, Any]:
    b = step.changes.between
    return {
        "concept": concept,
        "label": step.labels[concept],
        "energy_natural": float(step.changes.natural[concept]),
        "energy_first": float(b.first[concept]),
        "energy_second": float(b.second[concept]),
        "gap": [float(b.gap.low[concept]), float(b.gap.high[concept])],
        "q": float(b.q[concept]),
    }


@Call
def compare(
    first: str,
    second: str,
    *more: str,
    bundle: str | None = None,
    settings: MeasureSettings | None = None,
) -> Work[Comparison]:
    """Compare models or checkpoints on the captions that all of them drew (section 5.5).

    Each is `BUNDLE#MODEL`, or `BUNDLE` where it holds one model; where `bundle` is given, names of
    its models. Several are a series, each against the first. Bundles must be of one concept space
    and hold the same natural images of the shared pairs. `settings` are the last model's unless
    given. Raises `BlindspotsError` for what cannot be compared.
    """
    given = load_bundle(bundle) if bundle is not None else None
    sides = [Side.named(source, given) for source in (first, second, *more)]
    ids = _shared(sides)
    natural = _natural(sides, ids)
    energies = [
        taken(side.bundle.energies(side.model), side.bundle.image_ids(side.model), ids)
        for side in sides
    ]
    chosen = settings or sides[-1].bundle.model(sides[-1].model).measured_with
    labels = tuple(sides[0].bundle.labels)
    steps = []
    for done, (side, own) in enumerate(zip(sides[1:], energies[1:], strict=True)):
        yield Event("compare", done, len(sides) - 1, {"model": side.model})
        found = Changes.of(natural, energies[0], own, chosen)
        steps.append(Step(side.model, side.title, found, labels))
    yield Event("compare", len(steps), len(steps))
    return Comparison(sides[0].model, sides[0].title, tuple(steps))


def _shared(sides: Sequence[Side]) -> list[str]:
    spaces = [side.bundle.concept_space for side in sides]
    for side, space in zip(sides, spaces, strict=True):
        if space != spaces[0]:
            raise BlindspotsError(
                f"{side.bundle.root} was measured with other concepts than "
                f"{sides[0].bundle.root}: evaluate both models on one bundle."
            )
        if not side.bundle.model(side.model).paired:
            raise BlindspotsError(
                f"{side.model} was measured unpaired: comparing needs images of the same captions."
            )
        tokens = side.bundle.model(side.model).measured_with.tokens
        if tokens != sides[0].bundle.model(sides[0].model).measured_with.tokens:
            raise BlindspotsError(
                f"{side.model} was measured on {tokens} tokens, {sides[0].model} on others: "
                "evaluate both with the same --tokens."
            )
    ids = set.intersection(*(set(side.bundle.image_ids(side.model)) for side in sides))
    if len(ids) < 2:
        raise BlindspotsError(
            f"{', '.join(side.model for side in sides)} share {len(ids)} pairs: evaluate them "
            "on the same pairs (--pairs-from, --pairs and --bundle alike)."
        )
    return sorted(ids)


def _natural(sides: Sequence[Side], ids: list[str]) -> ImageEnergies:
    """Natural energies of the shared pairs, which all bundles must agree on."""
    found = [
        taken(bundle.energies(NATURAL), bundle.image_ids(NATURAL), ids)
        for bundle in {id(side.bundle): side.bundle for side in sides}.values()
    ]
    for other in found[1:]:
        if not np.allclose((other.matrix - found[0].matrix).data, 0, atol=1e-3):
            raise BlindspotsError(
                "The bundles hold different energies of the same natural images: evaluate the "
                "models with one version of the program and the concepts."
            )
    return found[0]
