"""Row 7: the paper's signs, from known causes, by the code of the analyses.

There is no bundle here: distances, nearness, frequency, correlations and skewness are those of
`analysis`, asked with energies and tables. What `notable_pairs` reads besides, features and other
seeds, the evidence does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from scipy import stats

from blindspots_hub.analysis.correlation import pearson, rank_correlation
from blindspots_hub.analysis.delta_histogram import Histogram
from blindspots_hub.analysis.deltas import ModelDeltas
from blindspots_hub.analysis.distances import spread
from blindspots_hub.analysis.frequency import misalignment
from blindspots_hub.analysis.notable_pairs import near_in_codes
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import duplicates, pair_distances
from blindspots_hub.measure.table import Columns
from blindspots_hub.planted.benchmark.checks import Check, at_least
from blindspots_hub.planted.models import TUNED
from blindspots_hub.planted.scene import Scene

SIBLINGS = ("alder-1", "alder-2")


def average_precision(score: np.ndarray, relevant: np.ndarray) -> float:
    """Average precision of ranking by descending `score`; ties in the order given."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(relevant, score))


def memorised_score(distance: np.ndarray, memorised: np.ndarray) -> np.ndarray:
    """Rank of memorisation: what is called `memorised` (N,), then all others, the nearest first."""
    closeness = -stats.rankdata(distance) / len(distance)
    return closeness + memorised * 2.0


def pairs_of_note(
    natural: ImageEnergies,
    generated: Mapping[str, ImageEnergies],
    scenes: Mapping[str, Sequence[Scene]],
    noisy: np.ndarray,
) -> list[Check]:
    """Memorised pairs are found; noisy captions gather among the largest differences.

    `noisy` (N,) bool tells which captions are; the second is judged by a hypergeometric p-value.
    """
    memorised, noise = [], []
    for name, energies in generated.items():
        distance = pair_distances(natural, energies)
        truth = np.array([scene.memorised for scene in scenes[name]])
        called = near_in_codes(natural, energies, distance) & (duplicates(energies) > 0)
        score = memorised_score(distance, called)
        value = average_precision(score, truth)
        memorised.append(at_least(f"memorised pairs of {name}: average precision", value, 0.95))
        top = np.argsort(-distance, kind="stable")[: len(distance) // 10]
        law = stats.hypergeom(len(noisy), noisy.sum(), len(top))
        p = float(law.sf(noisy[top].sum() - 1))
        share, overall = float(noisy[top].mean()), float(noisy.mean())
        noise.append(
            Check(
                f"noisy captions of {name} among the largest tenth",
                f"{share:.1%} against {overall:.1%} of all, p = {p:.0e}",
                "more, p < 0.05",
                share > overall and p < 0.05,
            )
        )
    return memorised + noise


def signs(
    natural: ImageEnergies,
    generated: Mapping[str, ImageEnergies],
    tables: Mapping[str, Columns],
) -> list[Check]:
    """Siblings alike, the variant nearer, δ left-skewed, rare concepts misaligned more."""
    bases = [name for name in tables if name != TUNED]
    judged = np.all([np.isfinite(t["relative_gap_low"]) for t in tables.values()], axis=0)
    relative = {name: table["relative_delta"][judged] for name, table in tables.items()}
    correlation = {
        (a, b): pearson(relative[a], relative[b]).value
        for i, a in enumerate(bases)
        for b in bases[i + 1 :]
    }
    own = correlation[SIBLINGS]
    others = max(value for pair, value in correlation.items() if pair != SIBLINGS)
    (base, base_width), (tuned, tuned_width) = (
        spread(pair_distances(natural, generated[name])) for name in (SIBLINGS[0], TUNED)
    )
    checks = [
        Check("siblings' r of δ", f"{own:.2f} against {others:.2f}", "above others", own > others),
        Check(
            "variant's distances: median and spread",
            f"{tuned:.2f} ± {tuned_width:.2f} against {base:.2f} ± {base_width:.2f}",
            "below its base",
            tuned < base and tuned_width < base_width,
        ),
    ]
    for name in bases:
        # Over all concepts, as the paper's histograms are (Figure 6).
        value = Histogram.of(tables[name]["delta"]).skewness
        checks.append(Check(f"skewness of δ, {name}", f"{value:.2f}", "below 0", value < 0))
    for name in bases:
        deltas = ModelDeltas.of(pa.table(tables[name]), "relative")
        value, _, _ = rank_correlation(*misalignment(deltas))
        checks.append(
            Check(f"frequency against misalignment, {name}", f"{value:.2f}", "below 0", value < 0)
        )
    return checks
