"""Output to terminals whose encoding lacks signs."""

from __future__ import annotations

import io

import pytest

from blindspots_hub.utils.terminal import show_anything


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "δ ≥ 0.9 … – café ρ ?"),
        ("cp1252", "delta >= 0.9 … – café rho ?"),
        ("latin-1", "delta >= 0.9 ... - café rho ?"),
        ("ascii", "delta >= 0.9 ... - cafe rho ?"),
    ],
)
def test_signs_have_plain_ones(encoding: str, shown: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    show_anything(stream, io.StringIO())
    stream.write("δ ≥ 0.9 … – café ρ \udce9")
    stream.flush()
    assert raw.getvalue().decode(encoding) == shown
