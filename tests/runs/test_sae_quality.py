"""`evaluate-sae` as users call it: a store or images, one model or several."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from concepts_fixtures import save_backbone, tiny_rasae
from PIL import Image
from training_fixtures import planted_tokens, small, write_store
from typer.testing import CliRunner

from blindspots_hub import cli
from blindspots_hub.concepts.quality.reconstruction import reconstruction_quality
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.runs import evaluate_sae as sae_quality
from blindspots_hub.runs.evaluate_sae import evaluate_sae
from blindspots_hub.runs.train_sae import train_sae

IMAGES, PER_IMAGE = 60, 20


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sae_quality, "HULL_POINTS", 60)
    monkeypatch.setattr(sae_quality, "HULL_ATOMS", 16)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, two trainings on it by different seeds, and a copy of the first with its record."""
    root = tmp_path_factory.mktemp("world")
    tokens = planted_tokens()[0][: IMAGES * PER_IMAGE].reshape(IMAGES, PER_IMAGE, -1)
    write_store(root / "store", tokens)
    recipe = small(steps=60, n_centroids=32, batch=256)
    for name, seed in (("a", 0), ("b", 1), ("same", 0)):
        drive(train_sae.stream(root / "store", root / name, recipe, seed))
    return root


def test_a_model_is_measured_on_what_its_training_kept_out(world: Path) -> None:
    found = drive(evaluate_sae.stream([str(world / "a")], world / "store"))
    (model,) = found.models
    record = json.loads((world / "a/training.json").read_text())
    assert model["r2"] == pytest.approx(record["quality"]["r2"])
    assert model["l0"] == pytest.approx(record["quality"]["l0"])
    assert model["tokens_used"] == "60 tokens of images that training kept out"
    assert 0 <= model["hull_distance_median"] <= model["hull_distance_max"]
    assert model["coherence"] <= 1 + 1e-6
    assert found.stability == []


def test_stability_is_claimed_only_of_independent_runs(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "quality.json"
    names = [str(world / name) for name in ("a", "b", "same")]
    run = CliRunner().invoke(
        cli.app,
        ["evaluate-sae", *names, "--tokens", str(world / "store"), "--out", str(out), "-q"],
    )
    assert run.exit_code == 0, (run.output, run.exception)
    a_b, a_same, _ = json.loads(out.read_text())["stability"]
    assert (a_b["independent"], a_same["independent"]) == (True, False)
    assert a_b["mean_cosine"] < a_same["mean_cosine"] == pytest.approx(1)
    assert "NOT independent: they share" in run.output
    assert "shows no stability" in run.output


def test_a_model_without_a_record_is_measured_on_all_tokens(world: Path, tmp_path: Path) -> None:
    sae = tiny_rasae(d=24, backbone="synthetic")
    sae.save_pretrained(tmp_path / "bare")
    found = drive(evaluate_sae.stream([str(tmp_path / "bare"), str(world / "a")], world / "store"))
    assert found.models[0]["tokens_used"] == "all 1,200 tokens"
    expected = reconstruction_quality(sae, planted_tokens()[0][: IMAGES * PER_IMAGE])
    assert found.models[0]["r2"] == pytest.approx(expected["r2"], abs=1e-6)
    assert found.stability[0]["independent"] is None
    assert "independence unknown" in found.text()


def test_images_are_read_by_their_backbone(tmp_path: Path) -> None:
    backbone = save_backbone(tmp_path / "backbone")
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.png")
    tiny_rasae(d=16).save_pretrained(tmp_path / "sae")
    found = drive(evaluate_sae.stream([str(tmp_path / "sae")], tmp_path / "images", str(backbone)))
    assert found.models[0]["tokens_used"] == "all 84 tokens"
    with pytest.raises(BlindspotsError, match="--backbone"):
        drive(evaluate_sae.stream([str(tmp_path / "sae")], tmp_path / "images"))


def test_given_points_are_the_hull(world: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", planted_tokens()[0][:30])
    points = tmp_path / "points.npy"
    found = drive(evaluate_sae.stream([str(world / "a")], world / "store", points=points))
    assert found.models[0]["hull_points"] == "the 30 points given"
    points.write_bytes(b"no array")
    with pytest.raises(BlindspotsError, match="cannot be read as points"):
        drive(evaluate_sae.stream([str(world / "a")], world / "store", points=points))
    for wrong in (np.zeros(3), np.array([["a"]]), np.zeros((3, 24), complex)):
        np.save(points, wrong)
        with pytest.raises(BlindspotsError, match="does not hold points"):
            drive(evaluate_sae.stream([str(world / "a")], world / "store", points=points))


@pytest.mark.parametrize("changed", [{"d": 6}, {"d": 24, "backbone_fingerprint": "0" * 64}])
def test_tokens_of_another_backbone_are_refused(
    changed: dict[str, object], world: Path, tmp_path: Path
) -> None:
    tiny_rasae(**changed).save_pretrained(tmp_path)
    with pytest.raises(BlindspotsError, match="tokens of its backbone"):
        drive(evaluate_sae.stream([str(tmp_path)], world / "store"))
