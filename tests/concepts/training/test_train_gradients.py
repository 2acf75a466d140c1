"""The gradients of a training step, written by hand, against autograd."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from blindspots_hub.concepts.encoder.largest import LargestOfAll, largest_of_rows
from blindspots_hub.concepts.encoder.low_precision import product
from blindspots_hub.concepts.training.dictionary import ArchetypalDictionary
from blindspots_hub.concepts.training.sparse_encoder import SparseEncoder
from blindspots_hub.concepts.training.step import set_gradients

RULES = ["topk", "batch_topk"]
N, D, K = 320, 6, 3


def networks(rule: str, dtype: torch.dtype) -> tuple[SparseEncoder, ArchetypalDictionary]:
    """An encoder and a dictionary away from where they start: every term of every gradient is
    there, some rows of Λ are at the bound and some entries of A are 0 once they are projected."""
    g = torch.Generator().manual_seed(0)
    encoder = SparseEncoder(D, N, K, rule, eps=1e-5, generator=g)
    dictionary = ArchetypalDictionary(torch.randn(8, D, generator=g), N, 0.3, g)
    with torch.no_grad():
        for parameter in [*encoder.parameters(), *dictionary.parameters()]:
            parameter += 0.2 * torch.randn(parameter.shape, generator=g)
    return encoder.to(dtype), dictionary.to(dtype)


def plain_loss(x, encoder, dictionary, auxiliary_weight):
    """The loss as METHOD section 2 and the docstring of `set_gradients` write it, dense."""
    hidden = functional.linear(x, encoder.affine[:, :-1], encoder.affine[:, -1])
    pre = functional.layer_norm(hidden, (N,), encoder.gain, encoder.shift, encoder.eps)
    count = K if encoder.sparsity == "topk" else K * len(x)
    rows = pre if encoder.sparsity == "topk" else pre.reshape(1, -1)
    kept = torch.zeros_like(rows).scatter(1, rows.topk(count).indices, 1.0).reshape(pre.shape)
    codes = functional.relu(pre) * kept
    # `clamp` and not `relu`: at a share of 0 the gradient is the one from above. The rows of Λ that
    # are used lie within the bound already.
    shares = dictionary.weights.clamp(min=0)
    hull = shares / (shares.sum(1, keepdim=True) + 1e-8) @ dictionary.centroids
    atoms = torch.exp(dictionary.multiplier) * (hull + dictionary.relax)
    dead = (codes > 0).sum(0) == 0
    error = (codes @ atoms - x).square().mean()
    return error, error - auxiliary_weight * (pre * dead).mean(), codes, dead


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-11), (torch.float32, 1e-5)])
@pytest.mark.parametrize("auxiliary_weight", [0.0, 1e-5, 5.0])
@pytest.mark.parametrize("piece", [None, 7])
def test_gradients_equal_autograds(rule, dtype, within, auxiliary_weight, piece, monkeypatch):
    encoder, dictionary = networks(rule, dtype)
    if piece is not None:  # many pieces of few tokens, and of few rows of A
        monkeypatch.setattr(
            "blindspots_hub.concepts.training.sparse_encoder._PIECE",
            {"cpu": piece * N * encoder.affine.element_size()},
        )
        monkeypatch.setattr("blindspots_hub.concepts.training.dictionary._PIECE", {"cpu": 1000})
    x = torch.randn(23, D, generator=torch.Generator().manual_seed(1)).to(dtype)
    parameters = [*encoder.named_parameters(), *dictionary.named_parameters()]
    for _ in range(2):  # the second time into memory that holds the first's
        seen = set_gradients(x, encoder, dictionary, auxiliary_weight)
    error, loss, codes, dead = plain_loss(x, encoder, dictionary, auxiliary_weight)
    assert 0 < int(dead.sum()) < N
    assert torch.equal(seen.fired, ~dead)
    used = dictionary.weights.detach()[seen.fired]
    assert 0 < int((used == 0).sum()) < used.numel()
    assert int(seen.codes) == int((codes > 0).sum())
    assert float(seen.smallest) == pytest.approx(float(codes.detach()[codes > 0].min()), rel=1e-4)
    torch.testing.assert_close(seen.error, error.detach())
    torch.testing.assert_close(seen.loss, loss.detach())
    plain = torch.autograd.grad(loss, [parameter for _, parameter in parameters])
    for (name, parameter), expected in zip(parameters, plain, strict=True):
        difference = (parameter.grad - expected).abs().max()
        assert difference <= within * max(1.0, float(expected.abs().max())), name
        assert (expected != 0).any(), name


@pytest.mark.parametrize("n", [5, 64, 128, 320, 1000])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_loop_of_a_cpu_gives_what_the_tensor_formulas_give(n, k, monkeypatch):
    g = torch.Generator().manual_seed(n)
    encoder = SparseEncoder(D, n, k, "topk", eps=1e-5, generator=g)
    with torch.no_grad():
        encoder.gain += 0.3 * torch.randn(n, generator=g)
        encoder.shift += 0.3 * torch.randn(n, generator=g) - 0.8  # some tokens keep fewer than k
    x = torch.randn(57, D, generator=g)
    x[3] = torch.nan  # keeps no code
    loop = encoder.encode(x)
    monkeypatch.setattr(SparseEncoder, "_in_one_pass", lambda self, like: False)
    formulas = encoder.encode(x)
    for one in (loop, formulas):
        assert not (one.codes.tokens == 3).any()
    order = [torch.argsort(one.codes.tokens * n + one.codes.concepts) for one in (loop, formulas)]
    for name in ("tokens", "concepts", "values", "normed"):
        own, other = (
            getattr(one.codes, name)[rows]
            for one, rows in zip((loop, formulas), order, strict=True)
        )
        torch.testing.assert_close(own, other)
    torch.testing.assert_close(loop.inverse_std, formulas.inverse_std, equal_nan=True)


def test_equal_codes_are_kept_by_the_lower_concept():
    encoder = SparseEncoder(2, 300, 2, "topk", eps=1e-5)
    with torch.no_grad():
        encoder.affine.zero_()
        encoder.affine[[7, 130, 290], 0] = 1.0
    kept = encoder.encode(torch.ones(1, 2))
    assert kept.codes.concepts.tolist() == [7, 130]


def test_the_rows_of_a_are_projected_alike_by_loop_and_formulas(monkeypatch):
    found = []
    for double in (False, True):
        _, dictionary = networks("topk", torch.float64 if double else torch.float32)
        with torch.no_grad():
            dictionary.weights[5] = -1.0  # has lost every share
        some = torch.arange(0, N, 5)
        atoms = dictionary.project(some)
        found.append((atoms.values.double(), dictionary.weights.detach().double()))
    for loop, formula in zip(*found, strict=True):
        torch.testing.assert_close(loop, formula, atol=2e-6, rtol=1e-5)
    assert found[0][1][5, 5 % 8] == 1


def test_gradients_of_atoms_that_are_not_used_any_more_are_zero():
    encoder, dictionary = networks("topk", torch.float32)
    for seed in range(3):
        x = torch.randn(2, D, generator=torch.Generator().manual_seed(seed))
        seen = set_gradients(x, encoder, dictionary, 1e-5)
        for parameter in (dictionary.weights, dictionary.relax):
            rows = (parameter.grad != 0).any(1)
            assert not (rows & ~seen.fired).any()
            assert (rows & seen.fired).any()
    dictionary.weights.grad.fill_(1.0)  # by somebody else
    seen = set_gradients(x, encoder, dictionary, 1e-5)
    assert not (dictionary.weights.grad[~seen.fired] != 0).any()


def test_the_auxiliary_term_reaches_the_encoder():
    """Alone: silent concepts are pulled up by every parameter, and nothing else is."""
    encoder, dictionary = networks("topk", torch.float32)
    x = torch.randn(5, D, generator=torch.Generator().manual_seed(1))
    grads = []
    for weight in (0.0, 5.0):
        fired = set_gradients(x, encoder, dictionary, weight).fired
        grads.append([parameter.grad.clone() for parameter in encoder.parameters()])
    of_term = [with_ - without for without, with_ in zip(*grads, strict=True)]
    assert all((grad != 0).any() for grad in of_term)
    shift = of_term[2]
    assert (shift[~fired] < 0).all()
    assert (shift[fired].abs() < 1e-6).all()  # projecting again rounds anew


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rule", RULES)
def test_half_precision_gradients_are_close(rule, dtype):
    encoder, dictionary = networks(rule, torch.float32)
    x = torch.randn(23, D, generator=torch.Generator().manual_seed(1))
    parameters = [*encoder.parameters(), *dictionary.parameters()]
    set_gradients(x, encoder, dictionary, 1e-5)
    full = [parameter.grad.clone() for parameter in parameters]
    set_gradients(x, encoder, dictionary, 1e-5, dtype)
    for parameter, expected in zip(parameters, full, strict=True):
        cosine = functional.cosine_similarity(parameter.grad.flatten(), expected.flatten(), dim=0)
        assert cosine > (0.9 if dtype == torch.bfloat16 else 0.99)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_half_precision_products_neither_underflow_nor_overflow(scale):
    g = torch.Generator().manual_seed(0)
    left = scale * torch.randn(9, 40, generator=g) * torch.logspace(-6, 0, 9)[:, None]
    right = scale * torch.randn(40, 5, generator=g)
    exact = left @ right
    for dtype, within in ((torch.float16, 5e-3), (torch.bfloat16, 4e-2)):
        found = product(left, right, dtype)
        assert ((found - exact).norm(dim=1) <= within * exact.norm(dim=1)).all()
    assert torch.equal(product(left, right, torch.float32), exact)
    assert torch.equal(product(left * 0, right, torch.float16), exact * 0)


@given(
    st.sampled_from([1, 7, 48, 320, 1024]),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(0, 10**6),
    st.sampled_from([-3.0, 0.0, 3.0]),
)
@settings(max_examples=60)
def test_the_largest_codes_are_found(n, rows, k, seed, mean):
    codes = mean + torch.randn(rows, n, generator=torch.Generator().manual_seed(seed))
    k = min(k, n)
    found = largest_of_rows(codes, k)
    kept = torch.zeros(rows, n, dtype=torch.bool)
    kept[found] = True
    expected = torch.zeros(rows, n, dtype=torch.bool).scatter(1, codes.topk(k).indices, True)
    assert torch.equal(kept, expected & (codes > 0))
    assert torch.equal(found[0], found[0].sort().values)

    largest = LargestOfAll(k * rows)
    candidates = []
    for row in range(rows):  # as pieces of one token
        _, columns = largest.candidates(codes[row : row + 1])
        candidates.append(codes[row, columns])
        largest.raise_by(torch.cat(candidates))
    found = torch.cat(candidates)
    wanted = codes.flatten().topk(k * rows).values
    assert torch.equal(
        found[found >= largest.bound].sort().values, wanted[wanted > 0].sort().values
    )
