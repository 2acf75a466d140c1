"""Which codes of a token stay: the two sparsity rules of METHOD section 2, on dense codes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.concepts.codes import SparseCodes


def at_least(pre: torch.Tensor, threshold: float) -> SparseCodes:
    """The codes of `pre` (T, n) that are ≥ `threshold` (compared in float32)."""
    return _compressed(*_where(pre, pre >= threshold), shape=tuple(pre.shape))


def top_k(pre: torch.Tensor, k: int) -> SparseCodes:
    """The `k` largest positive codes of each row of `pre` (T, n), equal ones by lower concept."""
    smallest = torch.topk(pre, k, dim=1, sorted=False).values.amin(1, keepdim=True)
    tokens, concepts, values = _where(pre, (pre >= smallest) & (pre > 0))
    # Equal codes at the k-th place make more than k candidates: rank them within their token.
    order = np.lexsort((concepts, -values, tokens))
    starts = np.searchsorted(tokens, np.arange(pre.shape[0]))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order)) - starts[tokens[order]]
    kept = rank < k
    return _compressed(tokens[kept], concepts[kept], values[kept], shape=tuple(pre.shape))


def _where(
    pre: torch.Tensor, kept: torch.Tensor
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    tokens, concepts = kept.nonzero(as_tuple=True)  # by token, then by concept
    return tokens.cpu().numpy(), concepts.cpu().numpy(), pre[tokens, concepts].cpu().numpy()


def _compressed(
    tokens: NDArray[np.int64],
    concepts: NDArray[np.int64],
    values: NDArray[np.float32],
    shape: tuple[int, ...],
) -> SparseCodes:
    return SparseCodes(
        indptr=np.searchsorted(tokens, np.arange(shape[0] + 1)).astype(np.int64),
        concepts=concepts.astype(np.int32),
        values=values,
        n_concepts=shape[1],
    )
