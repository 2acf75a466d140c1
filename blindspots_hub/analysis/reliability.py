"""How well a model's δ would repeat: the correlation that noise alone leaves between two runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from blindspots_hub.analysis.correlation import pearson
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.measure.delta import delta, relative_delta, relative_gap
from blindspots_hub.measure.energies import ImageEnergies, columns

SPLITS = 20
"""Random halves that a reliability is averaged over."""

MEASURES = ("delta", "relative_delta", "relative_gap")
"""What is correlated: δ, relative δ, and the raw relative gap, as the authors' code does."""


@dataclass(frozen=True)
class Reliability:
    """Correlation of two runs of one model, by measure; NaN where it cannot be told.

    `how` says which runs: "seeds" (the same captions generated anew, as often each as the model's
    were) or "halves" (other captions and other seeds). What single generations, or halves of the
    pairs, reach is brought to means of all generations, or to all pairs, by Spearman and Brown's
    formula.
    """

    how: str
    value: dict[str, float]


@lru_cache(maxsize=64)
def reliability(bundle: Bundle, model: str) -> Reliability:
    """Of the concepts that a model judges, under each of `MEASURES`."""
    judged = np.isfinite(bundle.deltas(model)["relative_gap_low"].to_numpy())
    tau = float(bundle.model(model).measured_with.tau)
    natural, generated = bundle.compared(model)
    drawings = bundle.generation_energies(model)
    if drawings is not None:
        second, pairs = drawings.number(1)
        if len(pairs) >= 2:
            first, _ = drawings.number(0)
            x = _means(natural.take(pairs))
            runs = [_measures(x, _means(one), tau, judged) for one in (first.take(pairs), second)]
            # Noise of a mean falls with the generations: of unlike many, by their harmonic mean.
            times = float(1 / np.mean(1 / drawings.counts))
            return Reliability(
                "seeds",
                {m: stepped_up(pearson(runs[0][m], runs[1][m]).value, times) for m in MEASURES},
            )
    return Reliability(
        "halves", _halves(natural, generated, bundle.model(model).paired, tau, judged)
    )


def _halves(
    natural: ImageEnergies, generated: ImageEnergies, paired: bool, tau: float, judged: np.ndarray
) -> dict[str, float]:
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {measure: [] for measure in MEASURES}
    for _ in range(SPLITS):
        sides = []
        ours = _half(rng, generated.n_images)
        for energies in (natural, generated):
            same = paired or energies is generated
            half = ours if same else _half(rng, energies.n_images)
            sides.append(_both_means(energies, half))
        (x, other_x), (y, other_y) = sides
        one, two = _measures(x, y, tau, judged), _measures(other_x, other_y, tau, judged)
        for measure in MEASURES:
            found[measure].append(pearson(one[measure], two[measure]).value)
    return {measure: stepped_up(float(np.mean(values)), 2) for measure, values in found.items()}


def stepped_up(one: float, times: float) -> float:
    """Spearman and Brown: the reliability of a mean over `times` as many, `one` that of one.

    0 where `one` is negative, NaN where it is unknown.
    """
    return one if np.isnan(one) else times * max(one, 0.0) / (1 + (times - 1) * max(one, 0.0))


def _half(rng: np.random.Generator, n: int) -> np.ndarray:
    """1 for a random half of n images, 0 for the others."""
    half = np.zeros(n)
    half[rng.permutation(n)[: n // 2]] = 1
    return half


def _means(energies: ImageEnergies) -> np.ndarray:
    return np.asarray(columns(energies.matrix) / max(energies.n_images, 1))


def _both_means(energies: ImageEnergies, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ours = np.asarray(half @ energies.matrix)
    rest = columns(energies.matrix) - ours
    return ours / max(half.sum(), 1), rest / max(len(half) - half.sum(), 1)


def _measures(
    x: np.ndarray, y: np.ndarray, tau: float, judged: np.ndarray
) -> dict[str, np.ndarray]:
    x, y = x[judged], np.maximum(y[judged], 0)
    r = relative_gap(np.maximum(x, 0), y)
    return {"delta": delta(y - x, tau), "relative_delta": relative_delta(r), "relative_gap": r}
