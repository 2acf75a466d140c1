"""Number formats that a text-to-image pipeline can run in."""

from __future__ import annotations

from typing import Literal, get_args

DType = Literal["float32", "float16", "bfloat16"]

DTYPES: tuple[DType, ...] = get_args(DType)
"""All of them, by their names in torch."""
