"""`benchmark page` at a size at which nothing is judged: every row is measured, none is missed."""

from __future__ import annotations

import shutil

import pytest

from blindspots_hub import planted
from blindspots_hub.benchmarks.page import NAMES, QUICK, find_chromium, running
from blindspots_hub.progress import drive

pytestmark = pytest.mark.browser


def test_every_row_is_measured() -> None:
    assert any(shutil.which(name) for name in NAMES)
    report = drive(running(QUICK, find_chromium(None), planted.BUNDLE))
    told = report.text()
    assert report.held
    assert len(report.rows) >= 18
    assert all(row.value is not None for row in report.rows), told
    assert "could not be measured" not in told
