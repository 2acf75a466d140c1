"""Sentences that a bundle keeps of answers, so that nobody computes them twice."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq

from blindspots_hub.analysis.answers import Answers
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import Bundle

SENTENCES = b"blindspots_sentences"
"""Metadata of a stored table: the sentences of its answers, as JSON."""

GROUPS = b"blindspots_groups"
"""Metadata of a stored table: the models that each sentence is about, as JSON."""

LARGE = 4_000
"""Concepts from which on a page computes no answer from energies by itself: it takes a minute."""


def told(answers: Answers) -> dict[bytes, bytes]:
    """The metadata that keeps the sentences of `answers`."""
    return {
        SENTENCES: json.dumps(answers.sentences).encode(),
        GROUPS: json.dumps(answers.groups).encode(),
    }


def stored_sentences(bundle: Bundle, name: str) -> dict[tuple[str, ...], str] | None:
    """The sentences that a bundle keeps of an analysis, by the models each is about; else None."""
    path = analysis(name).spec.path
    if path not in bundle.manifest.files:
        return None
    metadata = pq.read_schema(bundle.root / path).metadata or {}
    groups, sentences = (json.loads(metadata.get(key, b"[]")) for key in (GROUPS, SENTENCES))
    return {tuple(group): str(said) for group, said in zip(groups, sentences, strict=False)}


def stored_rows(bundle: Bundle, name: str) -> list[dict[str, Any]] | None:
    """The rows that a bundle keeps of an analysis, as dicts by column; None where it keeps none."""
    table = bundle.optional(analysis(name).spec)
    return None if table is None else table.to_pylist()


def left_to_ask(bundle: Bundle, name: str) -> bool:
    """Whether an answer is too long in coming for a page that waits for it."""
    return bundle.n_concepts >= LARGE and {*analysis(name).needs} - {"tables", "paired"} != set()
