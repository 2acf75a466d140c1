"""Sparse concept codes of tokens, in numpy: what everything after the networks is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blindspots_hub.concepts.layout import TokenLayout


@dataclass(frozen=True, eq=False)
class SparseCodes:
    """Codes z of T tokens over `n_concepts` concepts, as compressed rows (CSR), one row a token.

    `indptr` (T + 1,) int64: token t's codes lie at `indptr[t]:indptr[t + 1]`;
    `concepts` (nnz,) int32: which concept fires, ascending within a token;
    `values` (nnz,) float32: how strongly, always > 0.
    """

    indptr: NDArray[np.int64]
    concepts: NDArray[np.int32]
    values: NDArray[np.float32]
    n_concepts: int

    def __post_init__(self) -> None:
        nnz = int(self.indptr[-1])
        if self.indptr[0] != 0 or self.concepts.shape != (nnz,) or self.values.shape != (nnz,):
            raise ValueError(
                f"indptr names {nnz} codes, but there are {self.concepts.shape} concepts and "
                f"{self.values.shape} values"
            )

    @property
    def tokens(self) -> int:
        """How many tokens (T)."""
        return len(self.indptr) - 1

    @property
    def nnz(self) -> int:
        """How many codes are not zero, over all tokens."""
        return len(self.values)

    def token_of(self) -> NDArray[np.int64]:
        """The token that each code belongs to, (nnz,) ascending."""
        return np.repeat(np.arange(self.tokens), np.diff(self.indptr))

    def energies(
        self, tokens: slice | NDArray[np.integer] | None = None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Concept energies ξ_k = Σ_t z_{t,k} over the chosen tokens (METHOD section 3).

        `tokens` selects rows as numpy would, None takes all; naming a token twice counts it once.
        Returns (concepts (m,) int32 ascending, energies (m,) float32) of the m concepts that fire.
        Summed in float64 in ascending token order, whatever order `tokens` has.
        """
        chosen = np.zeros(self.tokens, dtype=bool)
        chosen[slice(None) if tokens is None else tokens] = True
        kept = np.repeat(chosen, np.diff(self.indptr))
        concepts = self.concepts[kept]
        energy = np.bincount(concepts, weights=self.values[kept], minlength=self.n_concepts)
        firing = np.flatnonzero(np.bincount(concepts, minlength=self.n_concepts))
        return firing.astype(np.int32), energy[firing].astype(np.float32)

    def heatmap(self, concept: int, layout: TokenLayout) -> NDArray[np.float32]:
        """Codes of `concept` on the patches of one image: (rows, columns) float32, 0 = silent."""
        if self.tokens != layout.tokens:
            raise ValueError(f"{self.tokens} tokens are not one image of {layout.tokens} tokens")
        here = self.concepts == concept
        of_token = np.zeros(self.tokens, dtype=np.float32)
        of_token[self.token_of()[here]] = self.values[here]
        return of_token[layout.patches].reshape(layout.grid)

    def rows(self, start: int, stop: int) -> SparseCodes:
        """The codes of tokens `start` to `stop` (exclusive); views, no copies of the values."""
        if not 0 <= start <= stop <= self.tokens:
            raise IndexError(f"tokens {start}:{stop} of {self.tokens}")
        first, last = int(self.indptr[start]), int(self.indptr[stop])
        return SparseCodes(
            indptr=self.indptr[start : stop + 1] - first,
            concepts=self.concepts[first:last],
            values=self.values[first:last],
            n_concepts=self.n_concepts,
        )

    def to_dense(self) -> NDArray[np.float32]:
        """The codes as a dense (T, n_concepts) float32 array."""
        dense = np.zeros((self.tokens, self.n_concepts), dtype=np.float32)
        dense[self.token_of(), self.concepts] = self.values
        return dense

    @staticmethod
    def concatenate(parts: Sequence[SparseCodes]) -> SparseCodes:
        """The tokens of all `parts` (at least one), one after the other."""
        widths = {part.n_concepts for part in parts}
        if len(widths) != 1:
            raise ValueError(f"codes over the same concepts are needed, not over {sorted(widths)}")
        fires = np.concatenate([np.diff(part.indptr) for part in parts])
        return SparseCodes(
            indptr=np.concatenate([[0], np.cumsum(fires)]).astype(np.int64),
            concepts=np.concatenate([part.concepts for part in parts]),
            values=np.concatenate([part.values for part in parts]),
            n_concepts=widths.pop(),
        )


@dataclass(frozen=True, eq=False)
class ImageCodes(SparseCodes):
    """Codes of the tokens of one image, and what is kept of the tokens themselves.

    `features` (2, d) float16: its class token, and the mean of its patch tokens; `look`
    (`concepts.domain.LOOK`) where the concept space knows its own images, else None.
    """

    features: NDArray[np.float16]
    look: NDArray[np.float64] | None = None


def token_features(tokens: NDArray[np.float32], layout: TokenLayout) -> NDArray[np.float16]:
    """Class token and mean patch token (2, d) of one image's tokens (T, d).

    The mean is taken in float64, so that it is the same whatever the image is batched with; what
    float16 cannot hold becomes its largest number.
    """
    limit = np.finfo(np.float16).max
    both = np.stack([tokens[0], tokens[layout.patches].mean(0, dtype=np.float64)])
    return np.clip(both, -limit, limit).astype(np.float16)
