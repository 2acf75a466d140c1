"""Do independent trainings find the same atoms? (METHOD section 6: claim it only across these.)

Two dictionaries are matched one to one so that the sum of the cosines is as large as it can be. Up
to `EXACT_ATOMS` atoms this optimum is computed over all pairs. For larger dictionaries every pair
but each atom's nearest ones is left out; the result is then a valid matching, so its mean cosine is
a lower bound of the optimum, and `upper_bound` says how far at most it is from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.concepts.quality.atoms import ALIKE, blocks, directions
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

EXACT_ATOMS = 4096
"""Up to this many atoms the matching is exact; its time grows with the cube of their number."""

NEIGHBOURS = 32
"""Partners that each atom of either dictionary keeps in a matching of larger dictionaries."""


@dataclass(frozen=True)
class Run:
    """A trained dictionary (n, d) and what is known of how its training began.

    seed: of the initialisation; centroids: an identity (sha256) of its candidate points; each None
    where it was not recorded.
    """

    name: str
    dictionary: torch.Tensor
    seed: int | None = None
    centroids: str | None = None


@dataclass(frozen=True, eq=False)
class Matching:
    """A one-to-one matching of the smaller dictionary's atoms with atoms of the other.

    first, second (m,): numbers of the matched atoms; cosine (m,): of each match. exact: whether the
    mean cosine is the largest possible; upper_bound: no matching has a larger mean.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    cosine: NDArray[np.float64]
    exact: bool
    upper_bound: float


@dataclass(frozen=True)
class Stability:
    """How alike two runs are. independent: None where their records don't say; `why` in words."""

    first: str
    second: str
    matching: Matching
    independent: bool | None
    why: str

    def summary(self) -> dict[str, float | bool | str | None]:
        """Mean and median matched cosine, share of close matches, and what it may be claimed of."""
        cosine = self.matching.cosine
        return {
            "first": self.first,
            "second": self.second,
            "mean_cosine": float(cosine.mean()),
            "median_cosine": float(np.median(cosine)),
            **{f"matched_over_{c}": float((cosine > c).mean()) for c in ALIKE},
            "exact": self.matching.exact,
            "upper_bound": self.matching.upper_bound,
            "independent": self.independent,
            "why": self.why,
        }


def stability(runs: Sequence[Run]) -> Work[list[Stability]]:
    """Match the dictionaries of every two of `runs`, and say which two began independently.

    Raises `BlindspotsError` for fewer than two runs, or dictionaries of different widths.
    """
    if len(runs) < 2:
        raise BlindspotsError("Stability needs at least two trained models: name another one.")
    found = []
    for first, second in combinations(runs, 2):
        matching = yield from match(first.dictionary, second.dictionary)
        independent, why = independence(first, second)
        found.append(Stability(first.name, second.name, matching, independent, why))
    return found


def independence(first: Run, second: Run) -> tuple[bool | None, str]:
    """Whether two runs were initialised independently, and why; None = their records don't say.

    Shared candidate points anchor the atoms of both at the same places, and a shared seed makes
    the same points of the same tokens; either makes agreement worth nothing.
    """
    if first.centroids is not None and first.centroids == second.centroids:
        return False, "they share their candidate points (one k-means start)"
    if first.seed is not None and first.seed == second.seed:
        return False, f"they share the seed {first.seed}"
    if None in (first.seed, second.seed, first.centroids, second.centroids):
        return None, "independence unknown: no record of seed and candidate points"
    return True, "seeds and candidate points differ"


def match(first: torch.Tensor, second: torch.Tensor) -> Work[Matching]:
    """Match the atoms of `first` (n, d) with those of `second` (n₂, d) by cosine.

    Atoms of zero have no direction and stay unmatched. Of dictionaries of different sizes the
    smaller one is matched whole.
    """
    if first.shape[1] != second.shape[1]:
        raise BlindspotsError(
            f"Atoms of width {first.shape[1]} and {second.shape[1]} cannot be matched: compare "
            "models of the same backbone."
        )
    (a_numbers, a), (b_numbers, b) = directions(first), directions(second.to(first.device))
    if not len(a) or not len(b):
        raise BlindspotsError("A dictionary of zeros cannot be matched: take a trained model.")
    swapped = len(a) > len(b)
    if swapped:
        a, b = b, a
    if len(b) <= EXACT_ATOMS:
        rows, columns, bound = yield from _exact(a, b)
    else:
        rows, columns, bound = yield from _sparse(a, b)
    cosine = (a[rows].double() * b[columns].double()).sum(1).cpu().numpy()
    if swapped:
        rows, columns = columns, rows
    exact = bound is None
    return Matching(
        first=a_numbers[rows],
        second=b_numbers[columns],
        cosine=cosine,
        exact=exact,
        upper_bound=float(cosine.mean()) if bound is None else bound,
    )


_Pairs = tuple[NDArray[np.int64], NDArray[np.int64], "float | None"]


def _exact(a: torch.Tensor, b: torch.Tensor) -> Work[_Pairs]:
    from scipy.optimize import linear_sum_assignment

    yield Event("match atoms", 0, 1)
    rows, columns = linear_sum_assignment((a @ b.T).cpu().numpy(), maximize=True)
    yield Event("match atoms", 1, 1)
    return rows, columns, None


def _sparse(a: torch.Tensor, b: torch.Tensor) -> Work[_Pairs]:
    """The best matching among the nearest neighbours of either side and a chain of spare pairs.

    The spare pairs (i, i) give every atom of `a` a partner of its own, without which a matching
    of all of them may not exist among neighbours.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    edges: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    best = 0.0
    column_best = torch.full((len(b),), -torch.inf, device=b.device)
    done, total = 0, len(a) + len(b)
    for one, other, flipped in ((a, b, False), (b, a, True)):
        for rows in blocks(len(one), len(other)):
            cosine = one[rows] @ other.T
            near = cosine.topk(min(NEIGHBOURS, len(other)), dim=1)
            from_ = np.repeat(np.arange(rows.start, rows.stop), near.indices.shape[1])
            to = near.indices.cpu().numpy().ravel()
            edges.append((to, from_) if flipped else (from_, to))
            if not flipped:
                best += float(near.values[:, 0].sum(dtype=torch.float64))
            else:
                column_best[rows] = near.values[:, 0]
            done += rows.stop - rows.start
            yield Event("find neighbours", done, total)
    spare = np.arange(len(a))
    from_ = np.concatenate([spare, *(pair[0] for pair in edges)])
    to = np.concatenate([spare, *(pair[1] for pair in edges)])
    pairs = np.unique(from_ * len(b) + to)
    from_, to = pairs // len(b), pairs % len(b)
    # Costs in (0, 4): an explicit zero would be no edge.
    cost = np.empty(len(pairs))
    for start in range(0, len(pairs), 1 << 15):
        part = slice(start, start + (1 << 15))
        cost[part] = 3 - (a[from_[part]] * b[to[part]]).sum(1).double().cpu().numpy()
    yield Event("match atoms", 0, 1)
    graph = coo_array((cost, (from_, to)), shape=(len(a), len(b))).tocsr()
    rows, columns = min_weight_full_bipartite_matching(graph)
    yield Event("match atoms", 1, 1)
    # Each atom of `a` has one partner, and so has each of at most len(a) atoms of `b`.
    from_b = float(column_best.topk(len(a)).values.sum(dtype=torch.float64))
    return rows.astype(np.int64), columns.astype(np.int64), min(best, from_b) / len(a)
