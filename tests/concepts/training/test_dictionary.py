from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blindspots_hub.concepts.training.dictionary import (
    ArchetypalDictionary,
    bounded,
    fuse,
    row_stochastic,
)

matrix = arrays("float32", (5, 4), elements=st.floats(-100, 100, width=32))


@given(matrix)
def test_rows_of_a_are_shares(weights):
    shares = row_stochastic(torch.from_numpy(weights))
    assert (shares >= 0).all()
    sums = shares.sum(1)
    for row, total in zip(weights, sums, strict=True):
        if row.clip(0).sum() > 1e-3:
            assert abs(float(total) - 1) < 1e-4
        else:
            assert float(total) <= 1 + 1e-6


@given(matrix, st.floats(0.01, 50))
def test_relaxation_is_bounded_and_keeps_its_direction(relax, relaxation):
    before = torch.from_numpy(relax)
    after = bounded(before, relaxation)
    norms = before.norm(dim=1)
    assert (after.norm(dim=1) <= relaxation * (1 + 1e-5)).all()
    torch.testing.assert_close(after * norms[:, None], before * after.norm(dim=1)[:, None])
    inside = norms <= relaxation
    assert torch.equal(after[inside], before[inside])


@given(matrix, arrays("float32", (4, 3), elements=st.floats(-10, 10, width=32)))
def test_without_relaxation_and_multiplier_atoms_lie_in_the_hull(weights, centroids):
    weights = weights.clip(0) + 0.01
    points = torch.from_numpy(centroids)
    atoms = fuse(torch.from_numpy(weights), points, torch.zeros(5, 3), torch.zeros(()), 1.0)
    # a point lies in the hull when no direction separates it: none of many may
    directions = torch.randn(3, 200, generator=torch.Generator().manual_seed(0))
    assert ((atoms @ directions) <= (points @ directions).amax(0) + 1e-3).all()
    assert ((atoms @ directions) >= (points @ directions).amin(0) - 1e-3).all()


def test_fuse_is_the_formula_and_can_be_done_in_blocks():
    g = torch.Generator().manual_seed(0)
    weights, centroids = torch.randn(6, 4, generator=g), torch.randn(4, 3, generator=g)
    relax, multiplier = 2 * torch.randn(6, 3, generator=g), torch.tensor(0.7)
    atoms = fuse(weights, centroids, relax, multiplier, 1.0)
    for k in range(6):
        positive = [max(float(w), 0.0) for w in weights[k]]
        hull = sum(w / (sum(positive) + 1e-8) * c for w, c in zip(positive, centroids, strict=True))
        departure = relax[k] * min(1.0, 1.0 / float(relax[k].norm()))
        torch.testing.assert_close(atoms[k], (hull + departure) * 2.0137527)
    blocks = [
        fuse(weights[i : i + 2], centroids, relax[i : i + 2], multiplier, 1.0) for i in (0, 2, 4)
    ]
    torch.testing.assert_close(torch.cat(blocks), atoms)


@pytest.mark.parametrize("n_concepts", [3, 8, 20])
def test_before_training_atoms_are_near_their_own_centroids(n_concepts):
    g = torch.Generator().manual_seed(0)
    centroids = torch.randn(8, 5, generator=g)
    dictionary = ArchetypalDictionary(centroids, n_concepts, generator=g)
    atoms = dictionary.fuse().detach()
    nearest = torch.cdist(atoms, centroids).argmin(1)
    assert nearest.tolist() == [k % 8 for k in range(n_concepts)]
    dictionary.rescale(2.5)
    torch.testing.assert_close(dictionary.fuse().detach(), 2.5 * atoms)


def test_projecting_changes_no_atom_and_is_done_once():
    g = torch.Generator().manual_seed(0)
    dictionary = ArchetypalDictionary(torch.randn(8, 5, generator=g), 20, 0.3, g)
    with torch.no_grad():
        for parameter in dictionary.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=g)
        dictionary.weights[3] = -1  # lost every share
    before, rows = dictionary.fuse(), dictionary.weights.detach().clone()
    made = dictionary.project(torch.tensor([0, 3, 11]))
    torch.testing.assert_close(made.values, dictionary.atoms(made.concepts).values)
    kept = [k for k in range(20) if k != 3]
    torch.testing.assert_close(dictionary.fuse()[kept], before[kept])
    torch.testing.assert_close(dictionary.weights[[0, 3, 11]].sum(1), torch.ones(3))
    assert dictionary.weights[3].argmax() == 3
    assert (dictionary.weights[[0, 3, 11]] >= 0).all()
    assert (dictionary.relax[[0, 3, 11]].norm(dim=1) <= 0.3 * (1 + 1e-6)).all()
    others = [k for k in range(20) if k not in (0, 3, 11)]
    assert torch.equal(dictionary.weights[others], rows[others])
    once = dictionary.weights.detach().clone()
    dictionary.project(torch.tensor([0, 3, 11]))
    torch.testing.assert_close(dictionary.weights, once)


def test_some_atoms_are_those_of_the_formula():
    g = torch.Generator().manual_seed(0)
    dictionary = ArchetypalDictionary(torch.randn(8, 5, generator=g), 20, 0.3, g)
    with torch.no_grad():
        for parameter in dictionary.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=g)
    formula = fuse(
        dictionary.weights, dictionary.centroids, dictionary.relax, dictionary.multiplier, 0.3
    )
    some = torch.tensor([0, 3, 19])
    torch.testing.assert_close(dictionary.atoms(some).values, formula[some].detach())
    torch.testing.assert_close(dictionary.fuse(), formula.detach())


def test_only_atoms_that_were_used_learn():
    dictionary = ArchetypalDictionary(torch.randn(8, 5), 12)
    for used in ([1, 4], [4, 7, 8]):  # the second time nothing of the first is left
        atoms = dictionary.atoms(torch.tensor(used))
        dictionary.set_gradients(atoms, 2 * atoms.values)
        assert dictionary.multiplier.grad is not None
        assert dictionary.multiplier.grad != 0
        for parameter in (dictionary.weights, dictionary.relax):
            assert parameter.grad is not None
            rows = (parameter.grad != 0).any(1).nonzero()[:, 0]
            assert rows.tolist() == used
