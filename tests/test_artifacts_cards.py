"""Cards are filled from what was measured, and never with a field missing."""

from __future__ import annotations

import pytest
import yaml
from jinja2 import UndefinedError

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.cards import TEMPLATES, render, write_bundle_card
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.files import read_json

CARDS = ("README.md", "sae/README.md", "backbone/README.md")


@pytest.mark.parametrize("name", CARDS)
def test_committed_cards_are_whole(name: str) -> None:
    text = (planted.BUNDLE / name).read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["license"]
    assert "{{" not in body
    assert "{%" not in body
    assert body.lstrip().startswith("# ")


def test_the_bundles_card_says_what_its_manifest_says(tmp_path) -> None:  # type: ignore[no-untyped-def]
    bundle = load_bundle(planted.BUNDLE)
    write_bundle_card(tmp_path, bundle.manifest, bundle.manifest["created_with"])
    written = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert written == (planted.BUNDLE / "README.md").read_text(encoding="utf-8")
    for model in bundle.models.values():
        counts = model["counts"]["relative"]
        row = f"| {model['title']} | 1,000 | {counts.get('suppressed', 0)} |"
        assert row in written


def test_the_stand_ins_say_that_they_are() -> None:
    assert "it stands in for" in " ".join(
        (planted.BUNDLE / "backbone/README.md").read_text(encoding="utf-8").split()
    ).replace("It stands", "it stands")
    config = read_json(planted.BUNDLE / "sae/config.json")
    assert "stands in for RA-SAE-DINOv2-32k" in config["origin"]
    assert config["threshold"] > 0


def test_a_missing_field_or_template_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("model_card/ra_sae.md", {"license": "x"}, {"title": "x"})
    with pytest.raises(BlindspotsError, match="run from a checkout"):
        render("model_card/nothing.md", {}, {})
    assert (TEMPLATES / "dataset_card").is_dir()
