"""All tabs. To add one: write its file beside this one, its test, and its line here."""

from __future__ import annotations

from blindspots_hub.explorer.tabs.base import Tab
from blindspots_hub.explorer.tabs.compare import CompareTab
from blindspots_hub.explorer.tabs.concepts import ConceptsTab
from blindspots_hub.explorer.tabs.evaluate import EvaluateTab
from blindspots_hub.explorer.tabs.explore import ExploreTab
from blindspots_hub.explorer.tabs.findings import FindingsTab
from blindspots_hub.explorer.tabs.pairs import PairsTab
from blindspots_hub.explorer.tabs.stress import StressTab
from blindspots_hub.explorer.tabs.structure import StructureTab

TABS: tuple[type[Tab], ...] = (
    ExploreTab,
    ConceptsTab,
    CompareTab,
    PairsTab,
    StructureTab,
    FindingsTab,
    StressTab,
    EvaluateTab,
)
"""In the order of their buttons."""
