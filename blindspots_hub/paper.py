"""Every constant of the paper and of its authors' code, each in this one place.

Sections refer to "Uncovering Conceptual Blindspots in Generative Image Models Using Sparse
Autoencoders" (arXiv 2506.19708).
"""

from __future__ import annotations

SUPPRESSED_BELOW = 0.1
"""δ below this is a suppressed blindspot (section 3, Definition 2)."""

EXAGGERATED_ABOVE = 0.9
"""δ above this is an exaggerated blindspot (section 3, Definition 2)."""

TAU = 0.8
"""Temperature of the logistic in δ = σ(gap / τ) (the authors' histograms and UMAP)."""

RELATIVE_TAU = 0.4
"""Temperature of the relative δ = σ(relative gap / 0.4) (the authors' frequency analysis)."""

PAIRS = 10_000
"""Caption-image pairs of the paper's study (section 4)."""

CONCEPTS = 32_000
"""Width of the published RA-SAE (section 4, appendix B)."""

TOP_K = 5
"""Codes that a token keeps (appendix B)."""

RELAXATION = 1.0
"""Largest norm of a dictionary atom's departure from the convex hull (appendix B)."""

PUBLISHED_THRESHOLD = 0.829
"""Batch-top-k inference threshold of the published weights (their config.json)."""

BACKBONE = "facebook/dinov2-with-registers-base"
"""The backbone whose tokens the published RA-SAE reads (section 4)."""
