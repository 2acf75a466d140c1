"""The largest codes of a token or of a whole batch, read from the dense codes in one pass.

A row of codes is seen as blocks. Only the k blocks with the largest maxima can hold the row's k
largest codes, and only blocks whose maximum reaches a bound can hold codes that reach it; so
everything but the maxima is looked at in a few blocks alone. The results are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

_BLOCK = 64
"""Codes of a block at most; a block is the largest divisor of the number of concepts up to it."""


def largest_of_rows(codes: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows, columns) int64, by row, of the `k` largest of each row of `codes` if positive."""
    blocks = _blocks(codes)
    n_blocks, size = blocks.shape[1:]
    if n_blocks < 4 * k:  # too few to leave much out
        values, columns = torch.topk(codes, k, dim=1, sorted=False)
    else:
        best = blocks.amax(2).topk(k, dim=1, sorted=False).indices
        near = blocks.gather(1, best[:, :, None].expand(-1, -1, size)).flatten(1)
        values, places = near.topk(k, dim=1, sorted=False)
        columns = best.gather(1, places // size) * size + places % size
    positive = values > 0
    return positive.nonzero()[:, 0], columns[positive]


@dataclass
class LargestOfAll:
    """The `count` largest positive codes of a batch that is seen in pieces.

    bound: never more than the smallest of them, and never falling, so what lies below it can be
    dropped; once everything was seen, that smallest one (0 where there are fewer).
    """

    count: int
    bound: float = 0.0

    def candidates(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows, columns) int64, by row, of the piece's positive codes that reach the bound.

        The maxima of its blocks raise the bound first.
        """
        blocks = _blocks(codes)
        maxima = blocks.amax(2)
        self.raise_by(maxima)
        rows, which = (maxima >= self.bound).nonzero(as_tuple=True)
        near = blocks[rows, which]
        hits, places = ((near >= self.bound) & (near > 0)).nonzero(as_tuple=True)
        return rows[hits], which[hits] * blocks.shape[2] + places

    def raise_by(self, values: torch.Tensor) -> None:
        """Raise the bound as far as the distinct codes `values` of the batch prove."""
        if values.numel() >= self.count:
            largest = values.flatten().topk(self.count, sorted=False).values
            self.bound = max(self.bound, float(largest.min()))


def _blocks(codes: torch.Tensor) -> torch.Tensor:
    """`codes` (B, n) as (B, n / size, size)."""
    n = codes.shape[1]
    size = next(size for size in range(min(_BLOCK, n), 0, -1) if n % size == 0)
    return codes.unflatten(1, (-1, size))
