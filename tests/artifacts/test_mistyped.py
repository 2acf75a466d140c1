"""A mistyped relative path of a bundle is told, and not looked for on the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.errors import BlindspotsError


def test_a_mistyped_folder_is_not_a_name_on_the_hub(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").mkdir()
    bundle.rename(tmp_path / "runs" / "photos")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BlindspotsError, match=r"did you mean runs/photos\?"):
        load_bundle("runs/photo")
    with pytest.raises(BlindspotsError, match="cannot be reached"):
        load_bundle("runs/something-else")
