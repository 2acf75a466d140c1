"""`analyse`: answers of analyses to a bundle, kept in it as optional tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.analysis.base import Finding
from blindspots_hub.analysis.registry import ANALYSES, analysis
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import TableSpec
from blindspots_hub.progress import Call, Event, Work

SENTENCES = b"blindspots_sentences"
"""Metadata of a stored table: the sentences of its answers, as JSON."""


@dataclass(frozen=True)
class Answers:
    """What one analysis said of a bundle; `left_out` are sentences on what it could not answer."""

    name: str
    title: str
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]

    @property
    def sentences(self) -> list[str]:
        """A sentence a finding."""
        return [finding.sentence for finding in self.findings]

    def __repr__(self) -> str:
        return "\n".join([f"<{self.title}>", *self.sentences, *self.left_out])


def ask(bundle: Bundle, name: str) -> Answers:
    """Everything that one analysis can answer of a bundle, in memory."""
    one = analysis(name)
    findings, left_out = [], []
    for models in one.groups(bundle) or [()]:
        missing = one.lacks(bundle, models)
        if missing is None:
            findings.append(one.answer(bundle, models))
        elif missing not in left_out:
            left_out.append(missing)
    return Answers(name, one.title, tuple(findings), tuple(left_out))


@Call
def analyse(root: str | Path, names: Sequence[str] = ()) -> Work[list[Answers]]:
    """Ask a bundle the analyses `names` (all unless named) and keep the answers in it.

    Each becomes the optional table `deltas/analyses/NAME.parquet`, with its sentences in the
    metadata. Raises `BlindspotsError` for an unknown name; what a bundle cannot answer is told in
    `Answers.left_out`.
    """
    bundle = load_bundle(root)
    asked = [analysis(name) for name in names] if names else list(ANALYSES)
    answers: list[Answers] = []
    tables: dict[TableSpec, pa.Table] = {}
    for done, one in enumerate(asked):
        yield Event("analyse", done, len(asked), {"analysis": one.name})
        answer = ask(bundle, one.name)
        answers.append(answer)
        if answer.findings:
            rows = pa.concat_tables(found.to_arrow(one.spec) for found in answer.findings)
            told = {SENTENCES: json.dumps(answer.sentences).encode()}
            tables[one.spec] = rows.replace_schema_metadata({**rows.schema.metadata, **told})
    if tables:
        add_tables(bundle.root, tables)
    yield Event("analyse", len(asked), len(asked))
    return answers


def stored_sentences(bundle: Bundle, name: str) -> list[str] | None:
    """The sentences that a bundle keeps of an analysis; None where it keeps none."""
    path = analysis(name).spec.path
    if path not in bundle.manifest.files:
        return None
    metadata = pq.read_schema(bundle.root / path).metadata or {}
    sentences: list[str] = json.loads(metadata.get(SENTENCES, b"[]"))
    return sentences
