"""The order of the tokens: every one once a pass, and known from the step alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots_hub.concepts.training import batches as train_batches
from blindspots_hub.concepts.training.batches import BatchOrder, batches, identity
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.distributed import Processes


@given(st.integers(1, 700), st.integers(1, 90), st.integers(0, 99))
@settings(max_examples=60)
def test_every_pass_takes_every_token_once(n_tokens, batch, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_batches, "BLOCK", 16)
        patch.setattr(train_batches, "WINDOW", 64)
        order = BatchOrder(n_tokens, batch, seed)
        steps = -(-2 * n_tokens // batch)
        every = [order.rows(step) for step in range(steps)]
        assert all(len(rows) == batch for rows in every)
        assert all((np.diff(rows) >= 0).all() for rows in every)
        counts = np.bincount(np.concatenate(every), minlength=n_tokens)
        assert (counts[:n_tokens] >= 2).all()
        assert counts.sum() == steps * batch
        again = BatchOrder(n_tokens, batch, seed)
        assert np.array_equal(again.rows(steps - 1), every[-1])  # without the steps before it


def test_the_order_is_random_and_the_seeds():
    first, other, later = (
        BatchOrder(1000, 100, seed).rows(step) for seed, step in ((0, 0), (1, 0), (0, 10))
    )
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, later)
    assert first.max() - first.min() > 800


def test_a_large_set_is_shuffled_by_window(monkeypatch):
    monkeypatch.setattr(train_batches, "BLOCK", 16)
    monkeypatch.setattr(train_batches, "WINDOW", 64)
    order = BatchOrder(16 * 100, 64, 0)
    blocks = [np.unique(order.rows(step) // 16) for step in range(25)]
    assert all(len(some) == 4 for some in blocks)  # a window is four blocks
    assert np.mean([np.ptp(some) for some in blocks]) > 40  # from all over the set


def test_processes_share_a_batch():
    tokens = np.arange(60, dtype=np.float16).reshape(30, 2)
    order = BatchOrder(30, 7, 0)
    whole = next(batches(tokens, order, 3, 4, slice(None), "cpu"))
    assert whole.dtype.is_floating_point
    parts = [
        next(batches(tokens, order, 3, 4, Processes(rank, 3).share(7), "cpu")) for rank in range(3)
    ]
    assert np.array_equal(np.concatenate(parts), whole)


def test_tokens_are_told_apart():
    tokens = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    other = tokens.copy()
    other[0] += 1
    assert identity(tokens) == identity(tokens.copy()) != identity(other)
    assert identity(tokens[:-1]) != identity(tokens)


def test_a_batch_that_is_not_finite_is_told(tmp_path):
    tokens = np.lib.format.open_memmap(
        tmp_path / "t.npy", mode="w+", dtype=np.float32, shape=(40, 2)
    )
    tokens[7] = np.inf
    with pytest.raises(BlindspotsError, match="batch of step"):
        list(batches(tokens, BatchOrder(40, 8, 0), 0, 5, slice(None), "cpu"))
