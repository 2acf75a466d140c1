"""The screen misses nothing, whatever the weights; the sums are what they are said to be."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blindspots_hub.concepts.encoder import exact
from blindspots_hub.concepts.encoder import screen as screen_module
from blindspots_hub.concepts.encoder.exact import (
    QuadraticForm,
    fixed_dots,
    fixed_dots_of,
    fixed_sum,
)
from blindspots_hub.concepts.encoder.folding import FoldedEncoder
from blindspots_hub.concepts.encoder.screen import Screen
from blindspots_hub.concepts.encoder.search import lower_bounds, reached, reached_by_tensors

SCREENS = [torch.bfloat16, torch.float32]


def golden(folded: FoldedEncoder, tokens: torch.Tensor) -> np.ndarray:
    """LayerNorm(W a + b) in float64 by its definition."""
    hidden = tokens.double() @ folded.weight.double().T + folded.bias.double()
    centred = hidden - hidden.mean(1, keepdim=True)
    normed = centred / (centred.square().mean(1, keepdim=True) + folded.eps).sqrt()
    return (normed * folded.gain.double() + folded.shift.double()).numpy()


def random_encoder(seed: int, d: int, n: int, spread: float) -> tuple[FoldedEncoder, torch.Tensor]:
    """Weights and tokens whose norms, and whose columns' norms, differ by e^±spread."""
    g = torch.Generator().manual_seed(seed)

    def scales(*shape: int) -> torch.Tensor:
        return ((2 * torch.rand(*shape, generator=g) - 1) * spread).exp()

    weight = torch.randn(n, d, generator=g) * scales(n, 1) * scales(1, d)
    weight += torch.randn(d, generator=g) * scales(1)  # in common to all concepts
    bias = torch.randn(n, generator=g) * scales(n)
    gain = torch.randn(n, generator=g) * scales(n)
    shift = torch.randn(n, generator=g) * scales(n) / 10
    tokens = torch.randn(12, d, generator=g) * scales(12, 1) * scales(1, d)
    return FoldedEncoder(weight, bias, gain, shift, eps=1e-5), tokens


def assert_none_is_missed(folded: FoldedEncoder, tokens: torch.Tensor, dtype: torch.dtype) -> None:
    screen, statistics = Screen(folded, dtype), folded.statistics(tokens)
    everywhere = torch.ones(len(tokens), folded.n).nonzero(as_tuple=True)
    codes = folded.values(tokens, statistics, *everywhere).view(len(tokens), -1).numpy()
    positive = np.sort(codes[codes > 0])
    for threshold in positive[:: max(1, len(positive) // 5)]:
        found = np.zeros(codes.shape, bool)
        found[tuple(i.numpy() for i in screen.at_least(tokens, statistics, float(threshold)))] = 1
        assert found[codes >= threshold].all()
    for k in {1, min(3, folded.n), folded.n}:
        found = np.zeros(codes.shape, bool)
        found[tuple(i.numpy() for i in screen.top(tokens, statistics, k))] = True
        smallest = -np.sort(-codes, 1)[:, k - 1 : k]
        assert found[(codes >= smallest) & (codes > 0)].all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    d=st.integers(1, 70),
    n=st.integers(2, 300),
    spread=st.sampled_from([0.0, 1.0, 5.0, 12.0]),
    dtype=st.sampled_from(SCREENS),
)
def test_no_code_is_missed_whatever_the_norms(seed, d, n, spread, dtype):
    assert_none_is_missed(*random_encoder(seed, d, n, spread), dtype)


@settings(max_examples=30, deadline=None)
@given(
    weights=st.floats(-37, 15),
    tokens=st.floats(-37, 37),
    seed=st.integers(0, 100),
    dtype=st.sampled_from(SCREENS),
)
def test_no_code_is_missed_at_the_ends_of_float32(weights, tokens, seed, dtype):
    folded, x = random_encoder(seed, 9, 50, 1.0)
    folded = FoldedEncoder(
        folded.weight * 10.0**weights, folded.bias, folded.gain, folded.shift, folded.eps
    )
    assert_none_is_missed(folded, x * 10.0**tokens, dtype)


def test_roundings_that_all_go_one_way_are_covered():
    """Weights just below the middle of two bfloat16 numbers, against tokens just below another."""
    d, n = 256, 256
    down = 1 + 2.0**-8 - 2.0**-16  # bfloat16 makes it 1
    weight = torch.full((n, d), down)
    weight[n // 2 :] *= -1
    folded = FoldedEncoder(weight, torch.zeros(n), torch.ones(n), torch.zeros(n), eps=1e-5)
    tokens = torch.full((1, d), 1.0) + torch.linspace(0, 1, 7)[:, None]
    statistics = folded.statistics(tokens)
    code = float(golden(folded, tokens).max())
    screen = Screen(folded, torch.bfloat16)
    which, concepts = screen.at_least(tokens, statistics, code * (1 - 2.0**-20))
    assert len(which) == len(tokens) * n // 2
    assert set(concepts.tolist()) == set(range(n // 2))
    # and the product alone would have missed them
    rows = screen._token_rows(tokens, statistics)
    rows[:, d + 2 :] = 0
    product = (rows @ screen._rows[: n // 2].T).float()
    assert product.max() < code * (1 - 2.0**-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.0, 1.0, 5.0]))
def test_the_product_is_an_upper_bound_of_every_code(seed, spread):
    folded, tokens = random_encoder(seed, 40, 128, spread)
    codes = golden(folded, tokens)
    for dtype in SCREENS:
        screen = Screen(folded, dtype)
        rows = screen._token_rows(tokens, folded.statistics(tokens))
        (_, bounds), *_ = screen._products(rows)
        above = bounds.view(dtype).double().numpy()[:, : folded.n]
        assert (above >= codes - 2 * np.abs(above) * screen._unit - 1e-12).all()


@pytest.mark.parametrize("group", [8, 128])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.0, 1.0, 5.0]))
def test_some_code_of_a_group_reaches_the_lower_bound(group, seed, spread):
    folded, tokens = random_encoder(seed, 40, 128, spread)
    codes = golden(folded, tokens)
    for dtype in SCREENS:
        screen = Screen(folded, dtype)
        rows = screen._token_rows(tokens, folded.statistics(tokens))
        (_, bounds), *_ = screen._products(rows)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(screen_module, "_LEAST_GROUP", group)
            margins = screen._group_margins(rows, 1)
        assert margins.group == group
        lower = lower_bounds(margins, bounds.unflatten(1, (-1, group)).amax(2), 0).numpy()
        largest = codes.reshape(len(tokens), -1, group).max(2)
        assert (lower <= largest)[largest > 0].all()


def test_tokens_beyond_trust_get_every_concept_that_there_is():
    folded, tokens = random_encoder(1, 8, 50, 0.0)
    tokens[3] *= 1e30
    which, concepts = Screen(folded, torch.bfloat16).top(tokens, folded.statistics(tokens), 2)
    assert sorted(concepts[which == 3].tolist()) == list(range(50))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), d=st.integers(1, 150), spread=st.sampled_from([0.0, 1.0, 5.0]))
def test_statistics_and_values_are_float64_to_a_float32_rounding(seed, d, spread):
    folded, tokens = random_encoder(seed, d, 90, spread)
    statistics = folded.statistics(tokens)
    hidden = tokens.double() @ folded.weight.double().T + folded.bias.double()
    sigma = (hidden.var(1, correction=0) + folded.eps).sqrt()
    torch.testing.assert_close(statistics.sigma, sigma, rtol=2.0**-22, atol=0)
    pairs = torch.ones(12, 90).nonzero(as_tuple=True)
    values = folded.values(tokens, statistics, *pairs).view(12, 90).numpy()
    expected = golden(folded, tokens)
    size = np.abs(expected) + np.abs(expected - folded.shift.numpy())
    assert (np.abs(values - expected) <= 2.0**-21 * size).all()


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=200))
def test_a_fixed_sum_is_a_sum(numbers):
    rows = torch.tensor([numbers, numbers[::-1]], dtype=torch.float64)
    assert fixed_sum(rows).tolist() == [sum(numbers)] * 2


@pytest.mark.parametrize("width", [1, 2, 3, 65, 768, 1025])
def test_a_fixed_sum_does_not_depend_on_the_other_rows(width):
    rows = torch.randn(40, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    together = fixed_sum(rows)
    for row in range(40):
        assert torch.equal(fixed_sum(rows[row : row + 1])[0], together[row])
    assert fixed_sum(rows[:0]).shape == (0,)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    width=st.integers(1, 900),
    dtypes=st.tuples(*[st.sampled_from([torch.float32, torch.float64])] * 2),
)
def test_dots_by_loops_are_those_by_tensors_to_the_bit(seed, width, dtypes):
    g = torch.Generator().manual_seed(seed)
    left, right = (
        torch.randn(7, width, generator=g, dtype=torch.float64).mul_(10.0).to(dtype)
        for dtype in dtypes
    )
    products = left.double()[:, None] * right.double()
    expected = fixed_sum(products.view(49, width)).view(7, 7)
    assert torch.equal(fixed_dots(left, right), expected.diagonal())
    assert torch.equal(fixed_dots(left, right[3]), expected[:, 3])
    i, j = torch.randint(7, (2, 30), generator=g)
    assert torch.equal(fixed_dots_of(left, i, right, j), expected[i, j])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    width=st.integers(1, 300),
    exponent=st.integers(-140, 120),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_integers_by_loops_are_those_by_tensors(seed, width, exponent, dtype):
    g = torch.Generator().manual_seed(seed)
    rows = torch.randn(6, width, generator=g, dtype=torch.float64) * 2.0**exponent
    rows[1, 0] = 2.0 ** (exponent + 5)
    rows[2] = torch.randint(-9, 10, (width,), generator=g) / 2 + 2.0**23  # ties
    rows[3] = 0
    scale = torch.exp2(torch.randint(-8, 9, (width,), generator=g).double())
    for mine, other in zip(
        exact.rounded_rows(rows.to(dtype), scale),
        exact.rounded_rows_by_tensors(rows.to(dtype), scale),
        strict=True,
    ):
        assert torch.equal(mine, other)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), d=st.integers(1, 200), exponent=st.integers(-130, 127))
def test_rows_rounded_by_loops_are_those_by_tensors(seed, d, exponent):
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randn(5, d, generator=g) * 2.0**exponent
    inverse = torch.rand(5, generator=g) + 0.5
    ours, theirs = (torch.zeros(5, d + 6, dtype=torch.bfloat16) for _ in range(2))
    norms, largest = screen_module._round_by_loops(ours, tokens, inverse)
    expected, expected_largest = screen_module._round(theirs, tokens, inverse)
    trusted = expected_largest < screen_module._LARGEST
    assert torch.equal(ours.view(torch.int16)[trusted], theirs.view(torch.int16)[trusted])
    assert torch.equal(largest, expected_largest)
    torch.testing.assert_close(
        norms[:, trusted], expected[:, trusted], rtol=d * 2.0**-23, atol=2.0**-60
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    groups=st.integers(1, 6),
    size=st.sampled_from([8, 128]),
    dtype=st.sampled_from([torch.int16, torch.int32]),
)
def test_places_by_loops_are_those_by_tensors(seed, groups, size, dtype):
    g = torch.Generator().manual_seed(seed)
    product = torch.randint(-30, 30, (9, groups, size), generator=g, dtype=dtype)
    bits = torch.randint(20, 32, (9,), generator=g, dtype=dtype)
    bits[4] = torch.iinfo(dtype).min  # a token that gets every concept
    found = reached(product, product.amax(2), bits)
    assert torch.equal(found, reached_by_tensors(product, product.amax(2), bits))
    assert torch.equal(found, (product >= bits[:, None, None]).view(-1).nonzero()[:, 0])


def covariance(d: int, n: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    columns = torch.randn(n, d, generator=g, dtype=torch.float64)
    columns *= torch.exp(3 * torch.randn(d, generator=g, dtype=torch.float64))
    return columns.T @ columns / n


def quadratic(gram: torch.Tensor) -> QuadraticForm:
    nothing = torch.zeros(len(gram) + 1, dtype=torch.float64)
    return QuadraticForm(gram, nothing[1:], nothing[0])


def test_the_products_of_a_form_are_exact():
    form = quadratic(covariance(90, 200))
    integers = torch.randint(-(2**24), 2**24, (5, 90)).double()
    for upper in (form.coarse, form.fine):
        worst = torch.where(upper[:, 7] < 0, -(2.0**24), 2.0**24)
        rows = torch.cat([integers, worst[None]])
        product = exact._triangle_product(rows, upper).tolist()
        for row, sums in zip(rows.tolist(), product, strict=True):
            for column in (0, 7, 64, 89):
                weights = upper[:, column].tolist()
                assert sums[column] == sum(
                    int(a) * int(b) for a, b in zip(row, weights, strict=True)
                )
        assert upper.abs().sum(0).max() * 2.0**24 <= 2.0**53


@pytest.mark.parametrize("cancelling", [False, True])
def test_a_form_is_accurate_and_alone(cancelling):
    """Its root errs by less than rounding the row to float32 can change it, cancelling or not."""
    d = 100
    gram = covariance(d, 300)
    rows = torch.randn(20, d, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    if cancelling:
        gram = covariance(d, 30)  # of rank 30, and rows that hardly have a part in it
        null = torch.linalg.eigh(gram).eigenvectors[:, :70]
        rows = rows @ null @ null.T + 1e-6 * rows
    form = quadratic(gram)
    together, terms = form(rows)
    matrix = [[Fraction(g) for g in line] for line in gram.tolist()]
    for row in range(3):
        x = [Fraction(entry) for entry in rows[row].tolist()]
        expected = float(sum(x[i] * x[j] * matrix[i][j] for i in range(d) for j in range(d)))
        without_cancelling = float((rows[row].square() * gram.diagonal()).sum())
        assert (expected < without_cancelling / 1e4) == cancelling
        assert 0.4 < float(terms[row]) / without_cancelling < 2.5
        bits = 2.0**-38 * without_cancelling if cancelling else 2.0**-22 * expected
        assert abs(float(together[row]) - expected) < bits
        assert torch.equal(form(rows[row : row + 1])[0][0], together[row])


def cancelling_encoder(left: float) -> tuple[FoldedEncoder, torch.Tensor]:
    """A bias that takes away W a of every token a but for `left` of it, and such tokens."""
    g = torch.Generator().manual_seed(4)
    d, n = 48, 300
    weight = torch.randn(n, d, generator=g)
    centre = torch.randn(d, generator=g)
    tokens = centre + left * torch.randn(200, d, generator=g)
    bias = -(weight.double() @ centre.double()).float()
    ones = torch.ones(n)
    return FoldedEncoder(weight, bias, ones, ones * 0, eps=1e-12), tokens


@pytest.mark.parametrize("left", [1.0, 1e-1, 1e-2, 1e-3, 1e-6])
def test_a_bias_that_cancels_the_product_costs_no_digit(left):
    """The values are float64's, rounded, or in a few cases their neighbours; so are the fires."""
    folded, tokens = cancelling_encoder(left)
    statistics = folded.statistics(tokens)
    hidden = tokens.double() @ folded.weight.double().T + folded.bias.double()
    sigma = (hidden.var(1, correction=0) + folded.eps).sqrt()
    torch.testing.assert_close(statistics.sigma, sigma, rtol=2.0**-24, atol=0)
    pairs = torch.ones(len(tokens), folded.n).nonzero(as_tuple=True)
    values = folded.values(tokens, statistics, *pairs).numpy()
    ideal = golden(folded, tokens).ravel().astype(np.float32)
    size = np.abs(ideal) > 0.1  # smaller ones are differences in float64 itself, and never fire
    off = np.abs(values.view(np.int32).astype(np.int64) - ideal.view(np.int32))[size]
    assert off.max() <= 1
    assert (off == 0).mean() > (0.85 if left == 1 else 0.99)
    threshold = float(np.quantile(ideal, 0.98))
    found = Screen(folded, torch.float32).at_least(tokens, statistics, threshold)
    kept = np.zeros(len(ideal), bool)
    places = (found[0] * folded.n + found[1]).numpy()
    kept[places] = values[places] >= threshold
    clear = np.abs(ideal / threshold - 1) > 2.0**-22
    assert np.array_equal(kept[clear], (ideal >= threshold)[clear])


def test_a_token_whose_terms_cancel_is_computed_alone():
    folded, tokens = cancelling_encoder(1e-3)
    together = folded.statistics(tokens).sigma
    for row in (0, 7, 199):
        assert torch.equal(folded.statistics(tokens[row : row + 1]).sigma[0], together[row])
