"""The fast way to codes against the plain one: the same fires, and never another's company."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from concepts_fixtures import tiny_rasae
from hypothesis import given, settings
from hypothesis import strategies as st
from threads import torch_threads

from blindspots_hub.benchmarks.synthetic import published_like
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.encoder import fast_encoder
from blindspots_hub.concepts.encoder.fast_encoder import FastEncoder
from blindspots_hub.concepts.encoder.select import at_least, top_k
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.errors import BlindspotsError

RULES = [{"sparsity": "topk", "k": 5}, {"sparsity": "batch_topk", "threshold": 1.0}]
SCREENS = [torch.bfloat16, torch.float32]


def plain(sae: RASAE, tokens: torch.Tensor) -> SparseCodes:
    """Dense float32 codes, then the rule: what `encode` must agree with."""
    pre = sae.pre_codes(tokens)
    if sae.config.sparsity == "batch_topk":
        return at_least(pre, sae.config.threshold)
    return top_k(pre, sae.config.k)


def fast(sae: RASAE, screen: torch.dtype) -> FastEncoder:
    weights = (sae.encoder.weight, sae.encoder.bias, sae.norm.weight, sae.norm.bias)
    return FastEncoder(sae.config, *weights, screen=screen)


def assert_same_fires(mine: SparseCodes, reference: SparseCodes, rtol: float = 2e-5) -> None:
    assert np.array_equal(mine.indptr, reference.indptr)
    assert np.array_equal(mine.concepts, reference.concepts)
    np.testing.assert_allclose(mine.values, reference.values, rtol=rtol)


def assert_same_bits(mine: SparseCodes, other: SparseCodes) -> None:
    assert np.array_equal(mine.indptr, other.indptr)
    assert np.array_equal(mine.concepts, other.concepts)
    assert np.array_equal(mine.values.view(np.int32), other.values.view(np.int32))


@pytest.fixture(scope="module")
def published():
    """Two images' tokens and models with the statistics of the published one, but smaller."""
    return published_like(images=2, d=192, n_concepts=4000, seed=3)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
def test_published_statistics_give_the_plain_codes(published, rule, screen):
    sae = published.model(rule)
    codes = fast(sae, screen).encode(published.tokens)
    assert 4 < codes.nnz / codes.tokens < 11
    assert_same_fires(codes, plain(sae, published.tokens))


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [(6, 40), (96, 1000), (33, 1700), (1, 3), (130, 129)])
def test_random_weights_give_the_plain_codes(shape, rule, screen):
    d, n = shape
    sae = tiny_rasae(d=d, n_concepts=n, **{**rule, "k": min(n, 5)})
    tokens = torch.randn(57, d, generator=torch.Generator().manual_seed(4))
    reference = plain(sae, tokens)
    # Where the plain way's rounding decides, the two may differ: not on these tokens.
    assert_same_fires(fast(sae, screen).encode(tokens), reference, rtol=1e-4)


@pytest.mark.parametrize("k", [1, 39, 40])
def test_any_k_gives_the_plain_codes(k):
    sae = tiny_rasae(k=k)
    tokens = torch.randn(40, 6, generator=torch.Generator().manual_seed(5))
    assert_same_fires(sae.encode(tokens), plain(sae, tokens), rtol=1e-4)


@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
def test_the_screen_lets_few_others_through(published, rule):
    sae = published.model(rule)
    found = fast(sae, torch.bfloat16)
    statistics = found._folded.statistics(published.tokens)
    if rule == "topk":
        which, _ = found._screen.top(published.tokens, statistics, sae.config.k)
    else:
        which, _ = found._screen.at_least(published.tokens, statistics, sae.config.threshold)
    assert len(which) < 2.0 * sae.encode(published.tokens).nnz


def test_codes_do_not_depend_on_company_order_or_chunks(published, monkeypatch):
    tokens = published.tokens
    order = torch.randperm(len(tokens), generator=torch.Generator().manual_seed(6))
    for rule in ("topk", "batch_topk"):
        sae = published.model(rule)
        whole = sae.encode(tokens)
        for rows in (slice(0, 1), slice(7, 8), slice(100, 117), slice(261, 522)):
            start, stop, _ = rows.indices(len(tokens))
            assert_same_bits(sae.encode(tokens[rows]), whole.rows(start, stop))
        shuffled = sae.encode(tokens[order])
        for place in (0, 3, 400):
            token = int(order[place])
            assert_same_bits(shuffled.rows(place, place + 1), whole.rows(token, token + 1))
        for image, codes in enumerate(sae.encode_images(tokens.view(2, 261, -1))):
            assert_same_bits(codes, whole.rows(261 * image, 261 * image + 261))
        with monkeypatch.context() as patch:
            patch.setitem(fast_encoder._TOKENS, "cpu", 100)
            assert_same_bits(sae.encode(tokens), whole)


def test_codes_do_not_depend_on_the_number_of_cores(published, monkeypatch):
    monkeypatch.setattr(fast_encoder, "_LEAST_TOKENS", 20)
    alone = {
        rule: published.model(rule).encode(published.tokens) for rule in ("topk", "batch_topk")
    }
    for cores in (2, 3):
        with torch_threads(cores):
            for rule, expected in alone.items():
                for screen in SCREENS:
                    encoder = fast(published.model(rule), screen)
                    assert encoder._parts(len(published.tokens)) == cores
                    assert_same_bits(encoder.encode(published.tokens), expected)
                assert torch.get_num_threads() == cores


def test_codes_do_not_depend_on_the_screen(published):
    for rule in ("topk", "batch_topk"):
        sae = published.model(rule)
        coarse, fine = (fast(sae, screen).encode(published.tokens) for screen in SCREENS)
        assert_same_bits(coarse, fine)


@settings(max_examples=20, deadline=None)
@given(order=st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_codes_of_an_image_do_not_depend_on_the_batch(order):
    sae = tiny_rasae(d=32, n_concepts=200)
    images = torch.randn(5, 13, 32, generator=torch.Generator().manual_seed(2))
    for image, codes in zip(order, sae.encode_images(images[order]), strict=True):
        assert_same_bits(codes, sae.encode(images[image]))


def test_tokens_may_carry_a_gradient_or_lie_anyhow():
    sae = tiny_rasae(d=16, n_concepts=60)
    tokens = torch.randn(16, 9, generator=torch.Generator().manual_seed(3))
    expected = sae.encode(tokens.T.contiguous())
    assert_same_bits(sae.encode(tokens.T), expected)
    assert_same_bits(sae.encode(tokens.T.clone().requires_grad_()), expected)


def test_equal_concepts_are_told_apart_by_their_number():
    sae = tiny_rasae(d=16, n_concepts=60, k=4)
    for tensor in (sae.encoder.weight, sae.encoder.bias, sae.norm.weight, sae.norm.bias):
        tensor[30:] = tensor[:30]  # every code occurs twice
    codes = sae.encode(torch.randn(50, 16, generator=torch.Generator().manual_seed(7)))
    for token in range(codes.tokens):
        kept = codes.rows(token, token + 1).concepts
        assert np.array_equal(kept[kept < 30] + 30, kept[kept >= 30])


def test_precision_that_the_program_gave_away_is_not_given_away_here(published):
    sae = published.model("batch_topk")
    expected = sae.encode(published.tokens)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for screen in SCREENS:
                assert_same_bits(fast(sae, screen).encode(published.tokens), expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def _changed_in_place(sae: RASAE) -> RASAE:
    sae.encoder.weight[3] += 1
    return sae


def _loaded(sae: RASAE) -> RASAE:
    sae.load_state_dict(tiny_rasae(seed=9).state_dict())
    return sae


def _assigned(sae: RASAE) -> RASAE:
    sae.load_state_dict(tiny_rasae(seed=9).state_dict(), assign=True)
    return sae


def _replaced(sae: RASAE) -> RASAE:
    sae.norm.bias = torch.nn.Parameter(sae.norm.bias + 1, requires_grad=False)
    return sae


def _cast(sae: RASAE) -> RASAE:
    return sae.half().float()


@pytest.mark.parametrize("change", [_changed_in_place, _loaded, _assigned, _replaced, _cast])
def test_changed_weights_are_folded_anew(change):
    tokens = torch.randn(30, 6, generator=torch.Generator().manual_seed(8))
    sae = tiny_rasae()
    before = sae.encode(tokens)
    changed = change(sae)
    after = changed.encode(tokens)
    assert_same_fires(after, plain(changed, tokens), rtol=1e-4)
    assert not np.array_equal(before.to_dense(), after.to_dense())


def test_what_was_folded_is_kept_but_is_no_part_of_the_model():
    sae = tiny_rasae()
    names, fingerprint, size = set(sae.state_dict()), sae.fingerprint, len(pickle.dumps(sae))
    tokens = torch.randn(3, 6)
    sae.encode(tokens)
    folded = sae._fast
    sae.encode(tokens)
    assert sae._fast is folded is not None
    assert set(sae.state_dict()) == names
    assert sae.fingerprint == fingerprint
    assert len(pickle.dumps(sae)) == size
    assert copy.deepcopy(sae)._fast is None
    with torch.inference_mode():
        assert_same_bits(tiny_rasae().encode(tokens), sae.encode(tokens))


def test_diverged_weights_are_told_in_a_sentence():
    sae = tiny_rasae()
    sae.encoder.weight[2, 2] = float("nan")
    with pytest.raises(BlindspotsError, match="diverge"):
        sae.encode(torch.zeros(1, 6))


@pytest.mark.gpu
@pytest.mark.parametrize("rule", ["topk", "batch_topk"])
def test_a_gpu_gives_the_codes_of_the_cpu(published, rule):
    sae = published.model(rule)
    codes = sae.encode(published.tokens)
    on_gpu = copy.deepcopy(sae).to("cuda")
    assert_same_fires(on_gpu.encode(published.tokens), codes, rtol=2.0**-22)
    assert_same_bits(
        on_gpu.encode(published.tokens[5:6]), on_gpu.encode(published.tokens).rows(5, 6)
    )
