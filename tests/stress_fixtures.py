"""Stress tests made by hand, for bundles that no model draws for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.optional import add_tables
from blindspots_hub.artifacts.schema import STRESS_IMAGES, STRESS_TESTS, TableSpec
from blindspots_hub.artifacts.stress_tables import joined
from blindspots_hub.data.images import encode_webp
from blindspots_hub.stress.prompts import Prompts
from blindspots_hub.stress.rates import Shown
from blindspots_hub.stress.result import ConceptTest, DrawnImages, image_rows, test_rows
from blindspots_hub.stress.verdict import judge

PROMPTS, IMAGES, LEVEL = 12, 2, 1.0


def drawn(model: str, title: str, showing: int) -> DrawnImages:
    """Two images a prompt, of which those of the first `showing` prompts show the concept."""
    prompt, draw = np.divmod(np.arange(PROMPTS * IMAGES), IMAGES)
    energy = np.where(prompt < showing, 2.0 + prompt, 0.1 * draw)
    picture = encode_webp(Image.new("RGB", (16, 16), (90, 120, 150)), lossless=False, quality=80)
    return DrawnImages(
        model,
        title,
        prompt,
        draw,
        list(range(len(prompt))),
        energy,
        lambda row: (np.array([0, 3], np.int64), np.array([0.5, energy[row]], np.float32)),
        lambda row: picture,
        ["0" * 64] * len(prompt),
    )


def tables(bundle: Bundle, model: str, tested: dict[int, int]) -> dict[TableSpec, pa.Table]:
    """Tests of concepts, by how many prompts' images show each, against a model that shows it."""
    others = [name for name in bundle.models if name != model] or ["another"]
    title = bundle.model(model).title if model in bundle.models else model
    tests = [
        ConceptTest(
            concept,
            bundle.labels[concept],
            Prompts({f"id{i}": f"prompt {i} <b>" for i in range(PROMPTS)}, "given"),
            LEVEL,
            drawn(model, title, showing),
            drawn(others[0], "The other", PROMPTS),
            Shown(np.ones(40, np.int64), np.ones(40, np.int64)),
        )
        for concept, showing in tested.items()
    ]
    rows = test_rows(tests, judge([one.comparison for one in tests]), IMAGES, 0, "2026-01-01")
    images = pa.concat_tables([image_rows(one) for one in tests])
    return joined([{STRESS_TESTS: rows, STRESS_IMAGES: images}])


def with_tests(root: Path, model: str, tested: dict[int, int]) -> Path:
    """The bundle at `root` with such tests added."""
    add_tables(root, tables(Bundle(root), model, tested))
    return root
