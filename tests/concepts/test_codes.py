from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.layout import TokenLayout

LAYOUT = TokenLayout(cls=1, registers=2, grid=(2, 3))

dense_codes = arrays(
    np.float32,
    (9, 7),
    elements=st.one_of(st.just(0.0), st.floats(2**-10, 64, width=32)),
)


def sparse(dense: np.ndarray) -> SparseCodes:
    tokens, concepts = dense.nonzero()
    return SparseCodes(
        indptr=np.searchsorted(tokens, np.arange(len(dense) + 1)).astype(np.int64),
        concepts=concepts.astype(np.int32),
        values=dense[tokens, concepts],
        n_concepts=dense.shape[1],
    )


@given(dense_codes)
def test_dense_round_trip(dense):
    assert np.array_equal(sparse(dense).to_dense(), dense)


@given(dense_codes, st.sampled_from([None, LAYOUT.patches, slice(0, 0), np.array([8, 0, 4])]))
def test_energies_are_sums_over_the_chosen_tokens(dense, tokens):
    concepts, energies = sparse(dense).energies(tokens)
    expected = dense[slice(None) if tokens is None else tokens].astype(np.float64).sum(0)
    assert concepts.dtype == np.int32
    assert energies.dtype == np.float32
    assert np.array_equal(concepts, np.flatnonzero(expected))
    np.testing.assert_allclose(energies, expected[concepts], rtol=1e-6)


def test_energies_are_summed_in_float64_and_in_token_order():
    dense = np.array([[2.0**25], [1.0], [1.0], [2.0]], dtype=np.float32)
    codes = sparse(dense)
    assert codes.energies()[1][0] == 2.0**25 + 4  # float32 sums would lose the ones
    backwards = codes.energies(np.array([3, 2, 1, 0, 0]))
    assert backwards[1][0] == codes.energies()[1][0]


@given(dense_codes, st.integers(0, 6))
def test_heatmap_shows_the_patches_row_by_row(dense, concept):
    heatmap = sparse(dense).heatmap(concept, LAYOUT)
    assert heatmap.dtype == np.float32
    assert np.array_equal(heatmap, dense[3:, concept].reshape(2, 3))


def test_heatmap_of_other_than_one_image_is_refused():
    with pytest.raises(ValueError, match="not one image"):
        sparse(np.ones((5, 7), np.float32)).heatmap(0, LAYOUT)


@given(dense_codes, st.integers(0, 9), st.integers(0, 9))
def test_rows_and_concatenate_undo_each_other(dense, one, other):
    start, stop = sorted((one, other))
    codes = sparse(dense)
    parts = [codes.rows(0, start), codes.rows(start, stop), codes.rows(stop, 9)]
    assert np.array_equal(parts[1].to_dense(), dense[start:stop])
    joined = SparseCodes.concatenate(parts)
    assert np.array_equal(joined.indptr, codes.indptr)
    assert joined.indptr.dtype == np.int64
    assert np.array_equal(joined.to_dense(), dense)


def test_what_does_not_belong_together_is_refused():
    codes = sparse(np.ones((5, 7), np.float32))
    with pytest.raises(ValueError, match="same concepts"):
        SparseCodes.concatenate([codes, sparse(np.ones((5, 8), np.float32))])
    with pytest.raises(IndexError):
        codes.rows(3, 6)
    with pytest.raises(ValueError, match="indptr"):
        SparseCodes(codes.indptr, codes.concepts[:-1], codes.values, 7)


def test_reading_codes_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, blindspots_hub.concepts.codes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
