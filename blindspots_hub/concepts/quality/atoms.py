"""How alike the atoms of a dictionary are: redundancy and coherence, exactly, in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

ALIKE = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Cosines of an atom with its nearest other atom beyond which the share of atoms is told."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BLOCK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class AtomCosines:
    """Cosines between the atoms of a dictionary of n atoms, of which the `zero` ones have none.

    atoms (m,): numbers of the atoms with a direction; nearest (m,): their largest cosine with
    another atom, with its sign, as codes are never negative and so an opposite atom says something
    else; nearest_atom (m,): that atom's number. coherence: largest |cosine| of two atoms;
    mean_absolute: mean |cosine| over all pairs; babel: largest sum of an atom's |cosines| with the
    `babel_order` atoms most aligned with it, the Babel function μ₁ (Tropp 2004).
    """

    atoms: NDArray[np.int64]
    nearest: NDArray[np.float64]
    nearest_atom: NDArray[np.int64]
    coherence: float
    mean_absolute: float
    babel: float
    babel_order: int
    zero: int

    def summary(self) -> dict[str, float]:
        """The distribution of `nearest` and the coherence, as numbers by name."""
        quantiles = np.quantile(self.nearest, QUANTILES)
        return {
            **{
                f"nearest_q{round(100 * q):02d}": float(value)
                for q, value in zip(QUANTILES, quantiles, strict=True)
            },
            **{f"nearest_over_{c}": float((self.nearest > c).mean()) for c in ALIKE},
            "coherence": self.coherence,
            "mean_absolute_cosine": self.mean_absolute,
            f"babel_{self.babel_order}": self.babel,
            "zero_atoms": float(self.zero),
        }


@torch.no_grad()
def atom_cosines(dictionary: torch.Tensor, babel_order: int = 5) -> Work[AtomCosines]:
    """Compare every atom of `dictionary` (n, d) with every other, on the dictionary's device.

    One GEMM of n² d in blocks of rows, so memory stays at some 0.2 GB; fp32 with cosines good to
    1e-6. `babel_order` is cut to the number of other atoms. Raises `BlindspotsError` for a
    dictionary with fewer than two atoms other than zero.
    """
    atoms, unit = directions(dictionary)
    m = len(atoms)
    if m < 2:
        raise BlindspotsError(
            f"The dictionary has {m} atoms other than zero, and two are needed to compare them: "
            "take a trained model."
        )
    order = min(babel_order, m - 1)
    nearest, nearest_atom = np.empty(m), np.empty(m, np.int64)
    coherence = total = babel = 0.0
    for rows in blocks(m, m):
        cosine = unit[rows] @ unit.T
        own = torch.arange(rows.start, rows.stop, device=unit.device)
        cosine[torch.arange(len(own), device=unit.device), own] = -torch.inf
        best = cosine.max(dim=1)
        nearest[rows] = best.values.double().cpu().numpy()
        nearest_atom[rows] = atoms[best.indices.cpu().numpy()]
        cosine[torch.arange(len(own), device=unit.device), own] = 0
        absolute = cosine.abs_()
        coherence = max(coherence, float(absolute.max()))
        babel = max(babel, float(absolute.topk(order, dim=1, sorted=False).values.sum(1).max()))
        total += float(absolute.sum(dtype=torch.float64))
        yield Event("compare atoms", rows.stop, m)
    return AtomCosines(
        atoms=atoms,
        nearest=nearest,
        nearest_atom=nearest_atom,
        coherence=coherence,
        mean_absolute=total / (m * (m - 1)),
        babel=babel,
        babel_order=order,
        zero=len(dictionary) - m,
    )


def directions(dictionary: torch.Tensor) -> tuple[NDArray[np.int64], torch.Tensor]:
    """(numbers (m,), unit vectors (m, d) float32) of the atoms of `dictionary` that are not zero.

    Raises `BlindspotsError` for NaN or infinity.
    """
    if not torch.isfinite(dictionary).all():
        raise BlindspotsError(
            "The dictionary holds NaN or infinity: its training broke down; take an earlier "
            "checkpoint or train with a lower rate."
        )
    norms = dictionary.double().norm(dim=1)
    kept = norms > 0
    unit = (dictionary[kept].double() / norms[kept][:, None]).float()
    return kept.nonzero()[:, 0].cpu().numpy(), unit


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of `rows` rows, so that a float32 block of `columns` columns stays at 64 MiB."""
    size = max(1, _BLOCK_BYTES // (4 * columns))
    for start in range(0, rows, size):
        yield slice(start, min(rows, start + size))
