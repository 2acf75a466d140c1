"""Row 3: of everything the tool claims over all concepts, how much is so in the population."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from blindspots_hub import paper
from blindspots_hub.measure.delta import TWO_FOLD, delta, relative_delta
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import Columns
from blindspots_hub.planted.benchmark.checks import Check, share_at_least, told
from blindspots_hub.planted.benchmark.points import LESS, MORE
from blindspots_hub.planted.population import Population

ENOUGH = 100_000
"""Scenes that the population must hold to judge."""

GOAL = 0.95


@dataclass(frozen=True)
class Claims:
    """Claims of one kind over all concepts and models: how many, how many are so.

    `open` are those whose threshold lies within the population's own error (95%), whichever way
    they were counted: the strict count takes the population's value as it is.
    """

    made: int = 0
    right: int = 0
    open: int = 0

    def __add__(self, other: Claims) -> Claims:
        return Claims(self.made + other.made, self.right + other.right, self.open + other.open)


def precision(
    disjoint: Sequence[Mapping[str, Columns]], population: Population, settings: MeasureSettings
) -> list[Check]:
    """Certain blindspots of both δ, and whatever is called at least two-fold.

    Of the models' tables in each of some disjoint samples of pairs. The bounds take claims as
    independent; those of several models about one concept share their natural images.
    """
    certain, two_fold = Claims(), Claims()
    for tables in disjoint:
        for model, table in tables.items():
            certain += certain_claims(model, table, population, settings)
            two_fold += two_fold_claims(model, table, population)
    return [
        _size(population),
        *_rows("called certain", certain),
        *_rows("called at least two-fold", two_fold),
    ]


def _size(population: Population) -> Check:
    """How many scenes the claims are held against; fewer than wanted is told, and fails nothing.

    What fewer leave open is in every comparison: a claim that the population cannot settle is
    counted by its value and told apart, and intervals are widened by the population's own error.
    """
    name = "population: scenes that claims are held against"
    if population.scenes >= ENOUGH:
        return Check(name, f"{population.scenes:,}", f"≥ {ENOUGH:,}", True)
    return told(name, f"{population.scenes:,}, of {ENOUGH:,} wanted: not drawn yet")


def _rows(name: str, claims: Claims) -> list[Check]:
    return [
        share_at_least(
            f"precision: {name}, and so in the population", claims.right, claims.made, GOAL
        ),
        told(
            f"precision: {name}, too near the threshold for the population to tell",
            f"{claims.open} of {claims.made}",
        ),
    ]


def two_fold_claims(model: str, table: Columns, population: Population) -> Claims:
    """States of relative δ that mean at least two-fold: is the population's |r| beyond 1/3?"""
    r, error = population.relative_gap(model), population.error(model)
    state = table["relative_state"].astype(str)
    claims = Claims()
    for side, names in ((-1, LESS), (1, MORE)):
        claims += _claims(np.isin(state, names), side * r - TWO_FOLD, error)
    return claims


def certain_claims(
    model: str, table: Columns, population: Population, settings: MeasureSettings
) -> Claims:
    """Certain blindspots under each δ: does the population's δ lie beyond its threshold?"""
    r, error = population.relative_gap(model), population.error(model)
    x, y = population.energies(), population.energies(model)
    # The error of r carried to the gap: g = r (E' + E), whose sum is known far better than r. A
    # concept that the population never saw has no error there is; its gap of 0 confirms nothing.
    known = np.where(np.isfinite(error), error, 0.0)
    claims = _certain(table, "relative_", relative_delta, r, error)
    return claims + _certain(
        table, "", lambda gap: delta(gap, settings.tau), y - x, known * (x + y)
    )


def _certain(
    table: Columns,
    prefix: str,
    to_delta: Callable[[np.ndarray], np.ndarray],
    gap: np.ndarray,
    error: np.ndarray,
) -> Claims:
    state, certain = table[f"{prefix}state"].astype(str), table[f"{prefix}certain"]
    claims = Claims()
    for name, side, threshold in (
        ("suppressed", -1, paper.SUPPRESSED_BELOW),
        ("exaggerated", 1, paper.EXAGGERATED_ABOVE),
    ):
        made = certain & (state == name)
        beyond = side * (to_delta(gap) - threshold)
        ends = np.abs(to_delta(gap + error) - to_delta(gap - error)) / 2
        claims += _claims(made, beyond, ends)
    return claims


def _claims(made: np.ndarray, beyond: np.ndarray, error: np.ndarray) -> Claims:
    """`beyond` is how far past the threshold the population lies: above 0 the claim is so."""
    undecided = np.abs(beyond) < 1.96 * error
    return Claims(int(made.sum()), int((made & (beyond > 0)).sum()), int((made & undecided).sum()))
