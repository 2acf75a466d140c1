"""Images under measurement held against what their concept space was trained on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from blindspots_hub.analysis.domain import side_warning
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.measure.coded import CodedImages

WARNING = "warning"
"""Key of an event's detail: a sentence that whoever shows the event must show, and keep."""


def domain_entry(domain: Domain | None, sides: dict[str, CodedImages]) -> dict[str, Any] | None:
    """What a model's entry in the manifest says of the images of its `sides`; None if nothing."""
    if domain is None:
        return None
    found = {
        name: domain.likeness(coded.looks).to_json()
        for name, coded in sides.items()
        if coded.looks is not None and len(coded.looks)
    }
    return {"home": asdict(domain.home), **found} if found else None


def warned(domain: Domain | None, side: str, coded: CodedImages) -> dict[str, Any]:
    """An event's detail: with a warning where the images so far are outside, else empty."""
    entry = domain_entry(domain, {side: coded})
    if entry is None or not entry[side]["is_outside"]:
        return {}
    return {WARNING: side_warning(side, entry[side], entry["home"])}
