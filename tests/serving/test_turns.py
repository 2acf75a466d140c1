"""Room for a few pieces of work at once."""

from __future__ import annotations

import pytest

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.serving import turns
from blindspots_hub.serving.turns import Turns


def test_who_finds_no_room_is_told_and_leaves_it_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    room = Turns(1)
    with room.taking("reports"), pytest.raises(BlindspotsError, match="waiting for reports, too"):
        with room.taking("reports"):
            raise AssertionError
    with pytest.raises(KeyError), room.taking("reports"):
        raise KeyError
    with room.taking("reports"):
        pass
