from __future__ import annotations

import re
from pathlib import Path

import pytest

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation import models
from blindspots_hub.generation.catalogue import CATALOGUE
from blindspots_hub.generation.models import REGISTRY, KnownModel, register, resolve, slug
from blindspots_hub.generation.settings import GenerationSettings


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "REGISTRY", dict(REGISTRY))
    monkeypatch.setattr(models, "PIPELINE_CLASSES", {})


def test_the_papers_five_models_are_known() -> None:
    five = [resolve(name) for name in ("sd15", "sd15-dpo", "sd21", "kandinsky21", "pixart")]
    for model in five:
        settings = model.settings
        assert (settings.height, settings.width) == (512, 512)
        assert (settings.num_inference_steps, settings.guidance_scale) == (None, None)
    base, variant = five[:2]
    assert variant.variant_of == base.name
    assert variant.source == base.source
    assert variant.unet == "mhdang/dpo-sd1.5-text2image-v1"


def test_known_models_are_pinned_where_a_commit_is_known() -> None:
    """The three others: no public program tells a commit of theirs (see `catalogue`)."""
    pinned = {model.name: model.revision for model in CATALOGUE}
    none = {name for name, revision in pinned.items() if revision is None}
    assert none == {"sd15", "sd15-dpo", "kandinsky21"}
    assert all(re.fullmatch("[0-9a-f]{40}", revision) for revision in pinned.values() if revision)


def test_a_misspelt_name_gets_near_matches_and_the_forms() -> None:
    with pytest.raises(BlindspotsError) as caught:
        resolve("SD-15")
    message = str(caught.value)
    assert "did you mean sd15" in message
    assert "org/name@revision" in message
    with pytest.raises(BlindspotsError, match="No model is called ''"):
        resolve(" ")


@pytest.mark.parametrize(
    "spec", ["./no/such/folder", "/tmp/nowhere-at-all", "a/b/c", "../no-such-folder-here", "a b"]
)
def test_a_path_that_is_not_there_is_no_hub_id(spec: str) -> None:
    with pytest.raises(BlindspotsError, match="No model is called"):
        resolve(spec)


def test_hub_ids_and_revisions() -> None:
    model = resolve("org/some.model_1")
    assert (model.source, model.revision, model.name) == (
        "org/some.model_1",
        None,
        "org--some.model_1",
    )
    pinned = resolve("org/model@refs/pr/3")
    assert (pinned.source, pinned.revision) == ("org/model", "refs/pr/3")
    assert pinned.name == "org--model-refs--pr--3"


def test_folders(tmp_path: Path) -> None:
    folder = tmp_path / "my model (v2)"
    folder.mkdir()
    with pytest.raises(BlindspotsError, match=r"no model_index\.json"):
        resolve(str(folder))
    (folder / "model_index.json").write_text("{}")
    model = resolve(str(folder))
    assert model.is_local
    assert model.name == slug(str(folder)) == "my-model-v2"
    assert model.title == "my model (v2)"


def test_register_adds_a_name_once() -> None:
    mine = KnownModel(name="mine", source="org/mine", title="Mine")
    register(mine)
    register(mine)
    assert resolve("mine") is mine
    register(mine, under="toys")
    assert resolve("toys/mine") is mine
    assert slug("toys/mine") == "mine"
    with pytest.raises(BlindspotsError, match=r"already stands for org/mine"):
        register(KnownModel(name="mine", source="org/other", title="Other"))
    with pytest.raises(BlindspotsError, match="no name for a model"):
        register(KnownModel(name="../mine", source="org/mine", title="Mine"))


def test_pipeline_classes_of_one_name_do_not_replace_each_other() -> None:
    first, second = type("Mine", (), {}), type("Mine", (), {})
    models.register_pipeline_class(first)
    models.register_pipeline_class(first)
    with pytest.raises(BlindspotsError, match="Mine is already"):
        models.register_pipeline_class(second)


def test_settings_out_of_range_are_told() -> None:
    for wrong in (
        {"height": 500.5},
        {"width": 0},
        {"height": 9000},
        {"num_inference_steps": 0},
        {"guidance_scale": -1},
    ):
        with pytest.raises(BlindspotsError):
            GenerationSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(BlindspotsError, match="int8"):
        GenerationSettings(dtype="int8")  # type: ignore[arg-type]
    changed = resolve("sd15").with_settings(num_inference_steps=4)
    assert (changed.settings.height, changed.settings.num_inference_steps) == (512, 4)
