"""What a server does for weeks: evaluation after evaluation, as the page's form begins them.

`python tests/lasting_fixtures.py FOLDER COUNT` prints what memory it holds after each, in bytes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

PAIRS = 8
MODELS = ("planted/cedar", "planted/willow")


def form(evaluations: Path, public: bool = True) -> Any:
    """The tab Evaluate my model of the embedded bundle's page; results go below `evaluations`."""
    from explorer_fixtures import page_on

    from blindspots_hub import planted
    from blindspots_hub.artifacts.bundle import load_bundle
    from blindspots_hub.serving.deployment import Deployment

    known = [(spec, spec) for spec in MODELS]
    site = Deployment(public=public)
    page = page_on(load_bundle(planted.BUNDLE), evaluations, known_models=known, site=site)
    return page.tabs["evaluate"]


def evaluated(tab: Any, seed: int, own: list[str]) -> list[str]:
    """One evaluation to its end, as the button Run does it; the session's bundles after it."""
    last = list(tab._run(MODELS[seed % len(MODELS)], PAIRS, seed, own))[-1]
    assert last[tab.finished], last[tab.status]
    return list(last[tab._page.own])


def resident() -> int:
    """Bytes of memory that this process holds now."""
    told = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", told)
    assert found is not None
    return 1024 * int(found[1])


def main() -> None:
    """Evaluate, and look at every result as a visitor does."""
    from blindspots_hub.analysis.deltas import KINDS
    from blindspots_hub.explorer.card.concept_card import concept_card

    tab, own = form(Path(sys.argv[1])), []
    for seed in range(int(sys.argv[2])):
        own = evaluated(tab, seed, own)
        entries = tab._catalog.entries(own[-1:])
        for concept in range(0, 60, 20):
            concept_card(entries[-1], KINDS[0], concept, entries)
        print(resident(), flush=True)


if __name__ == "__main__":
    main()
