"""Matrix products in 16 bits whose operands are scaled so that nothing under- or overflows.

Where autocast needs a GradScaler, which guesses one factor for a whole step and drops the steps
that it guessed wrong, each product here scales its own operands by powers of two (which rounds
nothing) before it rounds them to float16. bfloat16 has the range of float32 and needs none of it.
"""

from __future__ import annotations

import torch


def product(left: torch.Tensor, right: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """`left` (p, q) times `right` (q, r), of the type of `left`; computed in `dtype`.

    In float16 every row of `left` is scaled by itself, and `right` as a whole; entries below 2⁻²⁴
    of the largest there are lost.
    """
    if dtype != torch.float16:
        return (left.to(dtype) @ right.to(dtype)).to(left.dtype)
    small_left, rows = _scaled(left, dtype, dim=1)
    small_right, whole = _scaled(right, dtype, dim=None)
    return torch.ldexp((small_left @ small_right).to(left.dtype), rows + whole)


def _scaled(
    matrix: torch.Tensor, dtype: torch.dtype, dim: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`matrix` over 2^exponent in `dtype`, its entries at most 1, and the exponents (int32)."""
    size = matrix.abs()
    largest = size.amax(dim, keepdim=True) if dim is not None else size.amax()
    exponents = torch.frexp(largest).exponent
    return torch.ldexp(matrix, -exponents).to(dtype), exponents
