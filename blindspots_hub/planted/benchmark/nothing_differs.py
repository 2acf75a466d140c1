"""Row 6: what is flagged where nothing differs, with its spread."""

from __future__ import annotations

from collections.abc import Mapping

from blindspots_hub.measure.null import null_share
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import Measured
from blindspots_hub.planted.benchmark.checks import Check


def nothing_differs(found: Mapping[str, Measured], settings: MeasureSettings) -> list[Check]:
    """The null of each table: sides swapped within pairs, rejected at the table's own p."""
    checks = []
    for name, table in found.items():
        entry = null_share(table, settings)
        low, mean, high = (entry[key] for key in ("flagged_low", "flagged", "flagged_high"))
        checks.append(
            Check(
                f"null of {name}: flagged where sides are swapped",
                f"{mean:.1%} ({low:.1%} to {high:.1%} in {entry['repeats']} repeats)",
                f"≤ {settings.alpha:.0%}",
                mean <= settings.alpha,
            )
        )
    return checks
