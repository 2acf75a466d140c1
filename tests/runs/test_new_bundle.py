"""From an RA-SAE and natural images to a bundle that a model is evaluated on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.new_bundle import new_bundle
from blindspots_hub.serving.opening import open_first
from blindspots_hub.utils.files import read_json, write_bytes, write_json

SAE = planted.BUNDLE / "sae"
BACKBONE = planted.BUNDLE / "backbone"


def test_a_started_bundle_is_what_models_are_evaluated_on(tmp_path: Path) -> None:
    started, untold = tmp_path / "start", tmp_path / "sae"
    shutil.copytree(SAE, untold, ignore=shutil.ignore_patterns("domain.safetensors"))
    arguments = [
        "new-bundle", str(untold), "--pairs-from", str(planted.BUNDLE), "--backbone", str(BACKBONE),
        "--pairs", "40", "--out", str(started), "-q",
    ]  # fmt: skip
    ran = CliRunner().invoke(cli.app, arguments)
    assert ran.exit_code == 0, ran.output
    assert "of 512 concepts fire in 40 natural images" in ran.output
    assert faults(started) == []
    base, embedded = load_bundle(started), load_bundle(planted.BUNDLE)
    assert not base.models
    live = np.array(base.concepts["images"].to_pylist()) > 0
    for name in ("x", "y_codes"):
        assert (base.concepts[name].is_valid().to_numpy() == live).all()
    near = base.concepts["nearest"].to_pylist()
    assert all(live[row].all() and len(row) == 8 * live[k] for k, row in enumerate(near))
    # Nobody told it what the RA-SAE was trained on, so its own images are what it knows.
    home = Domain.load(started / "sae").home
    assert (home.images, "first bundle" in home.origin) == (40, True)
    # Its energies are those that the embedded bundle keeps of the same images.
    ids = base.image_ids("natural")
    rows = [embedded.image_ids("natural").index(pair_id) for pair_id in ids]
    kept = embedded.energies("natural").take(np.array(rows))
    assert base.energies("natural").matrix.toarray() == pytest.approx(
        kept.matrix.toarray(), abs=1e-4
    )
    assert "No model is measured here yet" in (started / "README.md").read_text()

    with pytest.raises(BlindspotsError, match="holds no model yet"):
        open_first(str(started), tmp_path, planted.BUNDLE)
    evaluated = evaluate("planted/cedar", tmp_path / "cedar", pairs=20, bundle=base)
    assert set(evaluated.models) == {"cedar"}
    assert evaluated.concept_space == base.concept_space
    assert faults(evaluated.root) == []
    assert open_first(str(evaluated.root), tmp_path, planted.BUNDLE)[0].name == evaluated.name


def test_starting_tells_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BlindspotsError):
        drive(new_bundle.stream(str(SAE), str(tmp_path / "empty"), tmp_path / "out"))
    with pytest.raises(BlindspotsError, match="planted/backbone"):
        drive(new_bundle.stream(str(SAE), str(planted.BUNDLE), tmp_path / "out", pairs=4))


def test_a_backbone_that_is_known_by_its_folders_name_has_to_be_given(tmp_path: Path) -> None:
    config = read_json(SAE / "config.json")
    write_json(tmp_path / "sae/config.json", {**config, "backbone": "my-dino"})
    write_bytes(tmp_path / "sae/model.safetensors", (SAE / "model.safetensors").read_bytes())
    with pytest.raises(BlindspotsError, match="'my-dino': say where that lies with --backbone"):
        drive(
            new_bundle.stream(str(tmp_path / "sae"), str(planted.BUNDLE), tmp_path / "out", pairs=4)
        )
