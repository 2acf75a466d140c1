"""Which concepts fire on the same tokens: the co-activation M = ZᵀZ (METHOD: appendix F)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from blindspots_hub.concepts.codes import SparseCodes


def co_occurrence(codes: Sequence[SparseCodes]) -> scipy.sparse.csr_matrix:
    """M = ZᵀZ of the codes Z of all tokens of all images, float64 CSR (n_concepts, n_concepts).

    M_jk = Σ_t z_tj z_tk in squared energy units, symmetric. Only concepts that fire together on a
    token have an entry: 10,000 images have some 37 million, a hundredth of the square.
    """
    stacked = SparseCodes.concatenate(codes)
    z = scipy.sparse.csr_matrix(
        (stacked.values.astype(np.float64), stacked.concepts, stacked.indptr),
        shape=(stacked.tokens, stacked.n_concepts),
    )
    product = (z.T @ z).tocsr()
    product.sort_indices()
    return product
