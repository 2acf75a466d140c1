"""Which codes of a token stay: the two sparsity rules of METHOD section 2.

On dense codes, and on those few that a screen has found to matter.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.concepts.codes import SparseCodes


def at_least(pre: torch.Tensor, threshold: float) -> SparseCodes:
    """The codes of `pre` (T, n) that are ≥ `threshold` (compared in float32)."""
    return kept_at_least(*_where(pre, pre >= threshold), threshold, tuple(pre.shape))


def top_k(pre: torch.Tensor, k: int) -> SparseCodes:
    """The `k` largest positive codes of each row of `pre` (T, n), equal ones by lower concept."""
    smallest = torch.topk(pre, k, dim=1, sorted=False).values.amin(1, keepdim=True)
    return kept_top_k(*_where(pre, (pre >= smallest) & (pre > 0)), k, tuple(pre.shape))


def kept_at_least(
    tokens: NDArray[np.int64],
    concepts: NDArray[np.int64],
    values: NDArray[np.float32],
    threshold: float,
    shape: tuple[int, ...],
) -> SparseCodes:
    """`at_least` of the codes that matter, (m,) each, in any order; `shape` is (T, n)."""
    kept = values >= np.float32(threshold)
    tokens, concepts, values = tokens[kept], concepts[kept], values[kept]
    order = np.argsort(tokens * shape[1] + concepts)
    return _compressed(tokens[order], concepts[order], values[order], shape)


def kept_top_k(
    tokens: NDArray[np.int64],
    concepts: NDArray[np.int64],
    values: NDArray[np.float32],
    k: int,
    shape: tuple[int, ...],
) -> SparseCodes:
    """`top_k` of the codes that matter, (m,) each, in any order; `shape` is (T, n)."""
    # Equal codes at the k-th place make more than k candidates: rank them within their token.
    order = np.lexsort((concepts, -values, tokens))
    tokens, concepts, values = tokens[order], concepts[order], values[order]
    starts = np.searchsorted(tokens, np.arange(shape[0]))
    rank = np.arange(len(tokens)) - starts[tokens]
    kept = (rank < k) & (values > 0)
    tokens, concepts, values = tokens[kept], concepts[kept], values[kept]
    order = np.argsort(tokens * shape[1] + concepts)
    return _compressed(tokens[order], concepts[order], values[order], shape)


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
