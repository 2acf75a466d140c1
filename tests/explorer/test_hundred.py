"""A server lives for weeks: a hundred evaluations in one process, and its memory is what it was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from explorer_fixtures import page_on

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.explorer.tabs.evaluate import EvaluateTab

WARM = 15
"""Evaluations until everything that stays is there: libraries, kept bundles."""


def resident() -> int:
    """Bytes that this process holds now."""
    told = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", told)[1])  # type: ignore[index]


@pytest.mark.slow
@pytest.mark.parametrize("count", [100])
def test_memory_is_flat_over_a_hundred_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    page = page_on(load_bundle(planted.BUNDLE), tmp_path / "results")
    tab = page.tabs["evaluate"]
    assert isinstance(tab, EvaluateTab)
    names = list(planted.TITLES)
    held = []
    for number in range(count):
        last: dict[object, object] = {}
        for update in tab._run(f"planted/{names[number % len(names)]}", 20, number, []):
            last = update
        assert last[tab.finished], last
        view = tab._show(str(last[tab.finished]), [])  # what the button "Explore it" does
        assert view
        held.append(resident())
    warm, end = sum(held[WARM - 5 : WARM]) / 5, sum(held[-5:]) / 5
    assert end < 1.1 * warm, [f"{one / 1e6:.0f}" for one in held]
