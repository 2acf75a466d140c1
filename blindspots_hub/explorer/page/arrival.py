"""From what a link or a listener says to a view that can be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from blindspots_hub.analysis.deltas import KINDS
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.map.layout_switch import layouts
from blindspots_hub.explorer.page.catalog import Catalog, Entry, bundle_id, check_concept
from blindspots_hub.explorer.page.view import View, unknown
from blindspots_hub.measure.delta import BLINDSPOTS


def first_view(catalog: Catalog) -> View:
    """What the page opens with: the surest blindspot of the first model, where there is one."""
    entries = catalog.entries()
    if not entries:
        return View(bundle_id(catalog.home))
    return view_of(entries[0])


def view_of(entry: Entry) -> View:
    """A model as one comes to it for the first time: with its surest blindspot open."""
    concept = first_concept(entry, KINDS[0])
    return View(bundle_id(entry.bundle), entry.model, concept=concept)


def first_concept(entry: Entry, kind: str) -> int | None:
    """The surest blindspot of a model, so that the page speaks at once; None where it has none.

    A suppressed one where there is any; it need not be certain.
    """
    reading = entry.reading(kind)
    for side in BLINDSPOTS:
        found = reading.blindspots(side)
        if len(found):
            return int(found[0])
    return None


def asked_at(query: Mapping[str, str], catalog: Catalog, tab: str) -> tuple[View, list[str]]:
    """The view in `tab` that the query of an address names, and the session's own bundles.

    `query` is that of a `View`, and `own` the ids of those bundles, separated by commas. What is
    not there raises `BlindspotsError`.
    """
    view = settled(View.from_query(query), catalog, [tab])
    return view, [one for one in query.get("own", "").split(",") if one]


def settled(view: View, catalog: Catalog, tabs: Sequence[str]) -> View:
    """`view` with what it leaves open filled in: the page's bundle, and a bundle's first model.

    A bundle, model, concept, pair, layout or tab that is not there is a `BlindspotsError`. Where a
    bundle has no model at all, `model` stays "".
    """
    if view.tab not in tabs:
        raise unknown("tab", view.tab, tabs)
    if view.layout not in layouts(catalog):
        raise BlindspotsError(
            f"The bundle {catalog.home.name} has no map by {view.layout}: it was made by an "
            "earlier version."
        )
    bundle = catalog.bundle(view.bundle or bundle_id(catalog.home))
    if view.concept is not None:
        check_concept(bundle, view.concept)
    model = view.model or next(iter(bundle.models), "")
    if model and model not in bundle.models:
        raise unknown("model", model, list(bundle.models), f" in the bundle {bundle.name}")
    if view.pair is not None and view.pair not in bundle.image_ids(model or NATURAL):
        raise BlindspotsError(
            f"There is no pair {view.pair[:40]!r} among those of {model or bundle.name}."
        )
    if view.other and view.other not in bundle.models:
        raise unknown("model", view.other, list(bundle.models), f" in the bundle {bundle.name}")
    return replace(view, bundle=bundle_id(bundle), model=model)
