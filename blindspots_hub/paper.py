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

CLASS_TOKENS, REGISTERS, PATCH_GRID = 1, 4, (16, 16)
"""Order and number of that backbone's 261 tokens at 224 px: class, registers, patches."""

TITLE = "Uncovering Conceptual Blindspots in Generative Image Models Using Sparse Autoencoders"
"""The paper."""

AUTHORS = ("Matyas Bohacek", "Thomas Fel", "Maneesh Agrawala", "Ekdeep Singh Lubana")
"""Who wrote the paper and published the weights."""

ARXIV = "2506.19708"
"""The paper's number on arXiv."""

PUBLISHED_REPO = "matybohacek/RA-SAE-DINOv2-32k"
"""The Hub repository of the published weights."""

PUBLISHED_REVISION = "1e10a216938e112302b31e3bb2f69818e59a12a9"
"""The commit of that repository that `PUBLISHED_SHA256` was read at."""

PUBLISHED_FILE = "RA-SAE-DINOv2-32k.pth"
"""The published weights in that repository: one pickle of 4.4 GB."""

PUBLISHED_SHA256 = "3cf20c7e8a97e063273e5116a049f965cb74799e2abded0c5e77f2ec30e27faa"
"""Hex sha256 of the published weights."""

PUBLISHED_LICENSE = "cc-by-sa-4.0"
"""Licence of the published weights, as the Hub writes it."""
