"""Which tokens make up which step: shuffled by a seed, and known from the step alone."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint

BLOCK = 4096
"""Rows that lie together and are shuffled as one; what a disk reads well at once."""

WINDOW = 256 * BLOCK
"""Rows that are shuffled with each other: of a larger set, blocks from all over it."""

_CHECKED = 1 << 16


class Tokens(Protocol):
    """Tokens (M, d) of any float type: an array, a memory map, or a `TokenStore`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(M, d)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """The rows that a slice or an ascending array of row numbers selects, as an array."""


class BatchOrder:
    """Rows of every batch: each pass over the tokens is a new random order of all of them.

    Tokens that fill no whole batch at the end of a pass begin the next one's first batch. The order
    follows from seed and step alone, so a training goes on anywhere. Of more than `WINDOW` rows,
    random blocks of `BLOCK` neighbouring rows are gathered to windows, and a window is shuffled
    whole: the rows of one batch lie in one window or two, which the system keeps in memory.
    """

    def __init__(self, n_tokens: int, batch: int, seed: int) -> None:
        self.n_tokens, self.batch, self.seed = n_tokens, batch, seed
        self._window = lru_cache(maxsize=2)(self._window)  # type: ignore[method-assign]
        self._blocks = lru_cache(maxsize=2)(self._blocks)  # type: ignore[method-assign]

    def rows(self, step: int) -> NDArray[np.int64]:
        """Row numbers of the batch of `step` (from 0), ascending: files are read forwards."""
        found = []
        position, missing = step * self.batch, self.batch
        while missing:
            epoch, place = divmod(position, self.n_tokens)
            window = self._window(epoch, place // WINDOW)
            taken = window[place % WINDOW :][:missing]
            found.append(taken)
            position, missing = position + len(taken), missing - len(taken)
        return np.sort(np.concatenate(found))

    def _window(self, epoch: int, window: int) -> NDArray[np.int64]:
        """The rows of a window of an epoch in their order."""
        blocks = self._blocks(epoch)
        ends = np.concatenate([[0], np.cumsum(self._sizes(blocks))])
        low, high = window * WINDOW, min((window + 1) * WINDOW, self.n_tokens)
        first, last = np.searchsorted(ends, [low, high - 1], side="right") - 1
        rows = np.concatenate(
            [
                np.arange(b * BLOCK, min((b + 1) * BLOCK, self.n_tokens))
                for b in blocks[first : last + 1]
            ]
        )[low - ends[first] :][: high - low]
        return np.random.default_rng([self.seed, epoch, 1 + window]).permutation(rows)

    def _blocks(self, epoch: int) -> NDArray[np.int64]:
        """The blocks in the order of an epoch."""
        blocks = -(-self.n_tokens // BLOCK)
        return np.random.default_rng([self.seed, epoch, 0]).permutation(blocks)

    def _sizes(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(BLOCK, self.n_tokens - blocks * BLOCK)


def batches(
    tokens: Tokens, order: BatchOrder, first: int, steps: int, share: slice, device: str
) -> Generator[torch.Tensor, None, None]:
    """This process's `share` of the batches of steps `first` to `steps`: float32 (B, d).

    The next one is read while the last is worked on. Raises `BlindspotsError` for a batch with NaN
    or infinity.
    """

    def read(step: int) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(tokens[order.rows(step)[share]]))

    with ThreadPoolExecutor(1) as reader:
        waiting = reader.submit(read, first) if first < steps else None
        for step in range(first, steps):
            assert waiting is not None
            batch = waiting.result().to(device).float()
            waiting = reader.submit(read, step + 1) if step + 1 < steps else None
            if not torch.isfinite(batch).all():
                raise _not_finite(f"in the batch of step {step}")
            yield batch


def check_tokens(tokens: Tokens) -> None:
    """Raise `BlindspotsError` unless `tokens` is (M, d) with M > 0, and finite if in memory."""
    if len(tokens.shape) != 2 or not len(tokens):
        raise BlindspotsError(
            f"Training needs tokens of shape (tokens, width), not {tokens.shape}: flatten images."
        )
    if isinstance(tokens, np.ndarray) and not isinstance(tokens, np.memmap):
        for start in range(0, len(tokens), _CHECKED):
            if not np.isfinite(tokens[start : start + _CHECKED]).all():
                raise _not_finite(f"from row {start} on")


def identity(tokens: Tokens) -> str:
    """What tells these tokens from others: of a store its own, of an array a sample of its rows."""
    own = getattr(tokens, "fingerprint", None)
    if isinstance(own, str):
        return own
    sample = np.unique(np.linspace(0, len(tokens) - 1, 1024).astype(np.int64))
    content = hashlib.sha256(np.ascontiguousarray(tokens[sample]).tobytes()).hexdigest()
    return fingerprint({"shape": list(tokens.shape), "sample": content})


def _not_finite(where: str) -> BlindspotsError:
    return BlindspotsError(
        f"Training tokens hold NaN or infinity ({where}): check the images and the backbone that "
        "they come from."
    )
