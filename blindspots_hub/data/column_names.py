"""Names of columns of other people's tables, in sentences and where one is meant."""

from __future__ import annotations

from collections.abc import Sequence

from blindspots_hub.errors import BlindspotsError


def only_one(columns: Sequence[str], name: str, where: str) -> None:
    """Raise where two columns are called `name`: it is not clear which one is meant."""
    if [one.strip() for one in columns].count(name.strip()) > 1:
        raise BlindspotsError(f"{where} has several columns {name}: rename all of them but one.")


def listed(columns: Sequence[str]) -> str:
    """Names of columns for a sentence; of a file that is no table they are long and many."""
    names = [name[:40] + "…" * (len(name) > 40) for name in columns[:20]]
    return ", ".join(names) + f" and {len(columns) - 20} more" * (len(columns) > 20) or "none"
