"""The few codes of a batch that stay, while a RA-SAE is trained."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional


@dataclass(frozen=True)
class SparseBatch:
    """m codes, by token.

    tokens, concepts (m,) int64: where they are; values (m,): the codes, positive; normed (m,): what
    LayerNorm multiplies with its weight to get them.
    """

    tokens: torch.Tensor
    concepts: torch.Tensor
    values: torch.Tensor
    normed: torch.Tensor

    def where(self, chosen: torch.Tensor) -> SparseBatch:
        """Those that `chosen` (m,) bool selects."""
        return SparseBatch(*(part[chosen] for part in self._parts))

    def and_(self, later: SparseBatch) -> SparseBatch:
        """These, then those of `later` tokens."""
        pairs = zip(self._parts, later._parts, strict=True)
        return SparseBatch(*(torch.cat(pair) for pair in pairs))

    @property
    def _parts(self) -> tuple[torch.Tensor, ...]:
        return self.tokens, self.concepts, self.values, self.normed


@dataclass(frozen=True)
class BatchCodes:
    """The codes of B tokens that stay, and what their gradients need of the tokens.

    extended (B, d + 1): the tokens, with a 1 behind each for the bias; inverse_std (B,):
    LayerNorm's 1/σ of each token; centred (n, d + 1): the encoder's weights minus their mean, valid
    until it encodes again.
    """

    extended: torch.Tensor
    inverse_std: torch.Tensor
    centred: torch.Tensor
    codes: SparseBatch

    def per_token(self, values: torch.Tensor) -> torch.Tensor:
        """Σ over the codes of each token of `values` (m,): (B,)."""
        return torch.zeros_like(self.inverse_std).index_add_(0, self.codes.tokens, values)

    def per_concept(
        self, concepts: torch.Tensor, values: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Σ over the codes of each concept of `values` (m,) times the token's row: (c, width).

        `rows` (B, width): a row for each token; `concepts` (c,): ids in ascending order, with all
        that stayed among them. Summed in the order of the tokens, on any device.
        """
        order = self._by_concept
        return functional.embedding_bag(
            self.codes.tokens[order],
            rows,
            torch.searchsorted(self.codes.concepts[order], concepts),
            mode="sum",
            per_sample_weights=values[order],
        )

    def decode(self, atoms: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Reconstructions (B, d): Σ of each token's codes times their `atoms` (c, d).

        `places` (n,): in which row of `atoms` a concept lies. Differentiable in the codes' values.
        """
        every = torch.arange(len(self.extended), device=places.device)
        return functional.embedding_bag(
            places[self.codes.concepts],
            atoms,
            torch.searchsorted(self.codes.tokens, every),
            mode="sum",
            per_sample_weights=self.codes.values,
        )

    @cached_property
    def _by_concept(self) -> torch.Tensor:
        return torch.argsort(self.codes.concepts, stable=True)
