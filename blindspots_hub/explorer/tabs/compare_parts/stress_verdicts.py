"""Stress tests of two models beside each other: which blindspots both have when asked."""

from __future__ import annotations

from html import escape

from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.named import named
from blindspots_hub.explorer.page.verdicts import verdict_badge
from blindspots_hub.explorer.tabs.compare_parts.pieces import section, title

MOST = 50
"""Concepts that are listed; Stress test has all of a model."""


def stress_verdicts(entry: Entry, other: str) -> str:
    """The verdicts on concepts that either model was asked for, as HTML; "" where none was."""
    bundle, models = entry.bundle, (entry.model, other)
    tests = bundle.stress_tests()
    concepts = sorted({concept for concept, model in tests if model in models})
    if not concepts:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><button type="button" data-open="{k}">'
        f"{named(bundle, k)}</button></th>"
        + "".join(
            f"<td>{verdict_badge(tests[k, model]) if (k, model) in tests else 'not tested'}</td>"
            for model in models
        )
        + "</tr>"
        for k in concepts[:MOST]
    )
    heads = "".join(
        f'<th scope="col">{escape(one)}</th>'
        for one in ("concept", *(title(bundle, model) for model in models))
    )
    return section(
        "Stress tests",
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Stress tests"><table '
        f'class="series"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>',
    )
