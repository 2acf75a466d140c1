"""What follows from kept codes: heatmaps and co-activation."""

from __future__ import annotations

import numpy as np
import pytest

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.measure.cooccurrence import co_occurrence

LAYOUT = TokenLayout(1, 2, (3, 4))
CONCEPTS = 9


def from_dense(dense: np.ndarray) -> SparseCodes:
    tokens, concepts = np.nonzero(dense)
    return SparseCodes(
        np.searchsorted(tokens, np.arange(len(dense) + 1)).astype(np.int64),
        concepts.astype(np.int32),
        dense[tokens, concepts].astype(np.float32),
        dense.shape[1],
    )


@pytest.fixture
def dense() -> np.ndarray:
    """Codes (5, tokens, concepts); concept 8 never fires, image 3 is silent."""
    rng = np.random.default_rng(0)
    shape = (5, LAYOUT.tokens, CONCEPTS)
    codes = rng.gamma(2.0, 1.0, shape).astype(np.float32) * (rng.random(shape) < 0.3)
    codes[..., 8] = codes[3] = 0
    return codes


def test_heat_is_where_the_heatmap_is_not_zero(dense: np.ndarray) -> None:
    codes = [from_dense(image) for image in dense]
    coded = CodedImages([f"{i}" for i in range(5)], codes, {}, LAYOUT, CONCEPTS)
    fired = 0
    for row in range(5):
        for concept in range(CONCEPTS):
            patches, values = coded.heat(row, concept)
            expected = dense[row, LAYOUT.patches, concept]
            assert patches.tolist() == np.flatnonzero(expected).tolist()
            assert values.tolist() == expected[expected > 0].tolist()
            assert values.dtype == np.float32
            fired += len(patches)
    assert fired > 50


def test_co_activation_is_the_product_of_the_codes(dense: np.ndarray) -> None:
    found = co_occurrence([from_dense(image) for image in dense])
    z = dense.reshape(-1, CONCEPTS).astype(np.float64)
    assert found.toarray() == pytest.approx(z.T @ z)
    assert found.nnz == np.count_nonzero(z.T @ z)
    assert found.has_sorted_indices
