"""`analyse`: answers of analyses to a bundle, kept in it as optional tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from blindspots_hub.analysis.answers import Answers, ask
from blindspots_hub.analysis.registry import ANALYSES, analysis
from blindspots_hub.analysis.stored import told
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.optional import add_tables, check_keeps
from blindspots_hub.progress import Call, Event, Work


@Call
def analyse(root: str | Path, names: Sequence[str] = ()) -> Work[list[Answers]]:
    """Ask a bundle the analyses `names` (all unless named) and keep the answers in it.

    Each becomes the optional table `deltas/analyses/NAME.parquet`, with its sentences in the
    metadata. Raises `BlindspotsError` for an unknown name; what a bundle cannot answer is told in
    `Answers.left_out`.
    """
    bundle = load_bundle(root)
    check_keeps(bundle.root)
    asked = [analysis(name) for name in names] if names else list(ANALYSES)
    answers: list[Answers] = []
    for done, one in enumerate(asked):
        yield Event("analyse", done, len(asked), {"analysis": one.name})
        answer = ask(bundle, one.name)
        answers.append(answer)
        if answer.findings:  # kept at once: a later one that is stopped loses nothing
            rows = pa.concat_tables(found.to_arrow(one.spec) for found in answer.findings)
            rows = rows.replace_schema_metadata({**rows.schema.metadata, **told(answer)})
            add_tables(bundle.root, {one.spec: rows})
    yield Event("analyse", len(asked), len(asked))
    return answers
