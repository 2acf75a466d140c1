"""Sentences that a bundle keeps of answers, so that nobody computes them twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

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


def stored_sentences(bundle: Bundle, name: str) -> list[str] | None:
    """The sentences that a bundle keeps of an analysis; None where it keeps none."""
    metadata = _metadata(bundle, name)
    return None if metadata is None else json.loads(metadata.get(SENTENCES, b"[]"))


def stored_sentence(bundle: Bundle, name: str, models: Sequence[str]) -> str | None:
    """The one about `models`; None where the bundle keeps none."""
    metadata = _metadata(bundle, name) or {}
    groups = json.loads(metadata.get(GROUPS, b"[]"))
    sentences = json.loads(metadata.get(SENTENCES, b"[]"))
    for group, sentence in zip(groups, sentences, strict=False):
        if group == list(models):
            return str(sentence)
    return None


def left_to_ask(bundle: Bundle, name: str) -> bool:
    """Whether an answer is too long in coming for a page that waits for it."""
    return bundle.n_concepts >= LARGE and {*analysis(name).needs} - {"tables", "paired"} != set()


def _metadata(bundle: Bundle, name: str) -> Mapping[bytes, bytes] | None:
    path = analysis(name).spec.path
    if path not in bundle.manifest.files:
        return None
    return pq.read_schema(bundle.root / path).metadata or {}
