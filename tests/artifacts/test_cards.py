"""Cards are filled from what was measured, and never with a field missing."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
import yaml
from jinja2 import UndefinedError
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.cards import templates as cards
from blindspots_hub.artifacts.cards.templates import (
    CHECKOUT,
    render,
    template_path,
    write_bundle_card,
    write_sae_card,
)
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import read_json

CARDS = ("README.md", "sae/README.md", "backbone/README.md")


@pytest.mark.parametrize("name", CARDS)
def test_committed_cards_are_whole(name: str) -> None:
    text = (planted.BUNDLE / name).read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["license"]
    assert "{{" not in body
    assert "{%" not in body
    assert body.lstrip().startswith("# ")


def test_the_bundles_card_says_what_its_manifest_says(tmp_path: Path) -> None:
    bundle = load_bundle(planted.BUNDLE)
    write_bundle_card(tmp_path, bundle.manifest)
    written = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert written == (planted.BUNDLE / "README.md").read_text(encoding="utf-8")
    for model in bundle.models.values():
        counts = model.counts["relative"]
        row = f"| {model.title} | 1,000 | {counts.get('suppressed', 0)} |"
        assert row in written


def test_the_card_of_two_sets_speaks_of_no_pairs(tmp_path: Path) -> None:
    spec = Synthetic(n_concepts=40, pairs=24, models={"own": "Own"}, unpaired=("own",))
    bundle = load_bundle(write_synthetic(tmp_path / "b", spec))
    write_bundle_card(bundle.root, bundle.manifest)
    written = (bundle.root / "README.md").read_text(encoding="utf-8")
    assert "same captions" not in written
    assert "pairs" not in written
    assert f"q < {bundle.model('own').measured_with.alpha:g}" in written


def test_the_stand_ins_say_that_they_are() -> None:
    assert "it stands in for" in " ".join(
        (planted.BUNDLE / "backbone/README.md").read_text(encoding="utf-8").split()
    ).replace("It stands", "it stands")
    config = read_json(planted.BUNDLE / "sae/config.json")
    assert "stands in for RA-SAE-DINOv2-32k" in config["origin"]
    assert config["threshold"] > 0


def test_the_card_of_a_trained_sae_leaves_its_quality_in_a_file(tmp_path: Path) -> None:
    config = read_json(planted.BUNDLE / "sae/config.json")
    quality = read_json(planted.BUNDLE / "sae/quality.json")
    write_sae_card(tmp_path, "RA-SAE of the planted world", config, quality)
    assert read_json(tmp_path / "quality.json") == quality
    theirs = (planted.BUNDLE / "sae/README.md").read_text(encoding="utf-8")
    written = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert written == theirs.replace(
        'from_pretrained("sae")', f'from_pretrained("{tmp_path.name}")'
    )


def test_templates_are_found_where_pip_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Recorded(PurePosixPath):
        def locate(self) -> Path:
            return tmp_path / self

    place = tmp_path / cards.INSTALLED / "model_card/ra_sae.md"
    place.parent.mkdir(parents=True)
    place.write_text("of the installation")
    files = [Recorded("other.py"), Recorded(f"{cards.INSTALLED}/model_card/ra_sae.md")]
    monkeypatch.setattr(cards, "CHECKOUT", tmp_path / "site-packages")
    monkeypatch.setattr(cards, "distribution_files", lambda name: files)
    assert template_path("model_card/ra_sae.md") == place
    with pytest.raises(BlindspotsError, match="install the package again"):
        template_path("model_card/sae.md")


def test_every_template_is_part_of_an_installation() -> None:
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    for folder in ("model_card", "dataset_card"):
        for template in (CHECKOUT / folder).rglob("*.md"):
            place = template.parent.relative_to(CHECKOUT).as_posix()
            assert f'"{cards.INSTALLED}/{place}" = ["{place}/*.md"]' in project


def test_a_missing_field_or_template_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("model_card/ra_sae.md", {"license": "x"}, {"title": "x"})
    with pytest.raises(BlindspotsError, match="run from a checkout"):
        render("model_card/nothing.md", {}, {})
    assert (CHECKOUT / "dataset_card").is_dir()
