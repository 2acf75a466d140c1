"""What an analysis says of a model, in words: kept by the bundle, or computed once."""

from __future__ import annotations

from functools import lru_cache
from html import escape

from blindspots_hub.analysis.base import Analysis, Finding
from blindspots_hub.analysis.stored import left_to_ask, stored_sentences
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry, said
from blindspots_hub.explorer.page.commands import (
    BUNDLE,
    another_model,
    command,
    computing,
    evaluating,
    spec_of,
)
from blindspots_hub.explorer.page.notice import with_code

Group = tuple[str, ...]
"""The models that one answer is about."""


def groups_of(analysis: Analysis, entry: Entry) -> list[Group]:
    """The groups of models with the entry's among them."""
    return [group for group in analysis.groups(entry.bundle) if entry.model in group]


def answerable(analysis: Analysis, entry: Entry) -> list[Group]:
    """Those of which the bundle has all that the analysis needs."""
    return [
        group for group in groups_of(analysis, entry) if analysis.lacks(entry.bundle, group) is None
    ]


CHANGING = ("names", "stress_test")
"""Analyses of tables that are added to while a page stands; all else of a bundle stays."""


def _state(bundle: Bundle, analysis: Analysis) -> str:
    return bundle.sha256 if analysis.name in CHANGING else bundle.identity


def answer(bundle: Bundle, analysis: Analysis, group: Group) -> Finding:
    """The finding, computed once as long as what it is about stays."""
    return _answer(bundle, analysis, group, _state(bundle, analysis))


@lru_cache(maxsize=32)
def _answer(bundle: Bundle, analysis: Analysis, group: Group, state: str) -> Finding:
    return analysis.answer(bundle, group)


@lru_cache(maxsize=1024)
def _computed(bundle: Bundle, analysis: Analysis, group: Group, state: str) -> str:
    try:
        return answer(bundle, analysis, group).sentence
    except BlindspotsError as error:
        return said(error, bundle.hosted)


_said: set[tuple[str, str, Group]] = set()
"""What `_computed` holds: a tab says this at once."""


def sentence(bundle: Bundle, analysis: Analysis, group: Group, now: bool) -> str | None:
    """The sentence on a group; None where it would have to be computed and not `now`."""
    if kept := (stored_sentences(bundle, analysis.name) or {}).get(group):
        return kept
    if left_to_ask(bundle, analysis.name):
        return f"Not kept in this bundle: {computing(bundle, analysis.name)} computes it."
    state = _state(bundle, analysis)
    known = (state, analysis.name, group)
    if not now and known not in _said:
        return None
    told = _computed(bundle, analysis, group, state)
    if len(_said) > 4096:
        _said.clear()
    _said.add(known)
    return told


AGAIN = {"features", "token codes", "fires", "energies", "paired", "same pairs"}
"""What a model's evaluation makes."""


def making(analysis: Analysis, entry: Entry, group: Group) -> str | None:
    """The command that makes what a bundle lacks for an answer; None where nothing would."""
    bundle = entry.bundle
    need = analysis.missing(bundle, group)
    if need == "models":
        return evaluating(bundle, another_model(bundle))
    if need == "scores":
        return command(bundle, "score-captions", BUNDLE, "CLIP", keeps=True)
    if need == "stress tests":
        spec = spec_of(bundle, entry.model)
        return command(bundle, "stress", BUNDLE, spec, "--concept", "NUMBER", keeps=True)
    if need in AGAIN:
        return evaluating(bundle, spec_of(bundle, entry.model), "again")
    return None


def paragraphs(analysis: Analysis, entry: Entry, now: bool) -> tuple[str, bool]:
    """Sentences on a model as HTML, what is lacking among them, and whether some are to come."""
    told: list[str] = []
    to_come = False
    for group in groups_of(analysis, entry) or [(entry.model,)]:
        missing = analysis.lacks(entry.bundle, group)
        if missing is not None:
            cured = making(analysis, entry, group)
            cure = f" <code>{escape(cured)}</code>" if cured else ""
            line = f'<p class="lacking">{with_code(missing)}{cure}</p>'
        else:
            said = sentence(entry.bundle, analysis, group, now)
            to_come |= said is None
            line = '<p class="to-come">…</p>' if said is None else f"<p>{escape(said)}</p>"
        if line not in told:
            told.append(line)
    return "".join(told), to_come
