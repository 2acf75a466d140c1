"""Cards of a published bundle: whole, true to its files, right for the Hub's own readers.

The cards of the embedded bundle are kept in tests/golden/cards. Where a change to them is meant:
RENEW_GOLDEN=1 python -m pytest tests/artifacts/hub/test_cards.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from synthetic_bundle import HOSTILE, Synthetic, write_synthetic

from blindspots_hub import paper, planted
from blindspots_hub.artifacts.cards.bundle_cards import repo_cards
from blindspots_hub.artifacts.cards.front_matter import configs, features, size_category
from blindspots_hub.artifacts.hub.repos import KINDS, Reference, Version
from blindspots_hub.artifacts.schema import TABLES
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import read_json, write_json

GOLDEN = Path(__file__).parents[2] / "golden" / "cards"
REFERENCE = Reference.parse("org/planted@1.0.0")
PARTS = [part for part in KINDS if part != "space"]
FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def cards(root: Path, licence: str | None = None) -> dict[str, str]:
    """The cards of the bundle at `root` as they are when all datasets are published, by part."""
    version = REFERENCE.version
    assert version is not None
    repos = REFERENCE.repos(KINDS)
    shas = {repo: f"{n:040x}" for n, repo in enumerate(repos, 1) if repo.kind == "dataset"}
    found = repo_cards(root, repos, version, shas, licence)
    return {repo.part: content.decode() for repo, content in found.items()}


@pytest.fixture(scope="module")
def embedded() -> dict[str, str]:
    return cards(planted.BUNDLE)


def front(card: str) -> dict[str, Any]:
    found = FRONT.match(card)
    assert found is not None
    data: dict[str, Any] = yaml.safe_load(found[1])
    return data


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the embedded bundle's manifest and small files, to be changed."""
    root = tmp_path / "bundle"
    ignored = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(planted.BUNDLE, root, ignore=ignored)
    return root


def change(root: Path, **fields: Any) -> dict[str, Any]:
    manifest = read_json(root / "bundle.json") | fields
    write_json(root / "bundle.json", manifest)
    return manifest


@pytest.mark.parametrize("part", PARTS)
def test_cards_of_the_embedded_bundle(part: str, embedded: dict[str, str]) -> None:
    path = GOLDEN / f"{part}.md"
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(embedded[part], encoding="utf-8")
    assert embedded[part] == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("part", PARTS)
def test_no_card_has_an_unfilled_field(part: str, embedded: dict[str, str]) -> None:
    card = embedded[part]
    for unfilled in ("{{", "{%", "None", "[More Information Needed]", "Undefined"):
        assert unfilled not in card
    assert "\n# " in card


@pytest.mark.parametrize("part", PARTS)
def test_the_clients_own_classes_read_the_cards(
    part: str, embedded: dict[str, str], tmp_path: Path
) -> None:
    from huggingface_hub import DatasetCard, ModelCard, metadata_load

    kind: Any = DatasetCard if KINDS[part] == "dataset" else ModelCard
    card = kind(embedded[part])
    path = tmp_path / "README.md"
    path.write_text(str(card), encoding="utf-8")
    assert card.data.to_dict() == metadata_load(path) == front(embedded[part])
    assert card.data.license == "apache-2.0"
    assert card.text.lstrip().startswith("# planted")


def test_the_hub_accepts_the_front_matter(hub: Any, embedded: dict[str, str]) -> None:
    from huggingface_hub.utils import get_session

    for part, text in embedded.items():
        # not the client's `validate`, which asks the public Hub before huggingface_hub 2
        asked = {"repoType": KINDS[part], "content": text}
        answer = get_session().post(f"{hub.endpoint}/api/validate-yaml", json=asked)
        assert answer.status_code == 200, answer.text


def test_results_are_those_of_the_held_out_tokens(embedded: dict[str, str]) -> None:
    from huggingface_hub import ModelCard

    results = {r.metric_type: r.metric_value for r in ModelCard(embedded["sae"]).data.eval_results}
    assert results == read_json(planted.BUNDLE / "sae/quality.json")
    assert "| reconstruction R², held out | 0.681 |" in embedded["sae"]


def test_unknown_results_and_licences_are_not_invented(bundle: Path) -> None:
    (bundle / "sae/quality.json").unlink()
    config = read_json(bundle / "sae/config.json")
    write_json(bundle / "sae/config.json", config | {"backbone": "org/net", "origin": "mine"})
    manifest = read_json(bundle / "bundle.json")
    del manifest["licence"]
    for model in manifest["models"]:
        model["run"]["licence"] = None
    manifest["models"][0]["run"]["licence"] = "openrail++"
    write_json(bundle / "bundle.json", manifest)
    found = cards(bundle)
    assert "model-index" not in front(found["sae"])
    assert "was not measured" in found["sae"]
    assert {part: front(card)["license"] for part, card in found.items()} == {
        "pairs": "unknown",
        "generations": "other",
        "deltas": "unknown",
        "sae": "unknown",
        "backbone": "unknown",
    }
    assert "`openrail++`, that of the model" in found["generations"]
    assert front(cards(bundle, "cc-by-4.0")["sae"])["license"] == "cc-by-4.0"
    with pytest.raises(BlindspotsError, match="no licence identifier"):
        cards(bundle, "My Own Licence\n")


@pytest.mark.parametrize("origin", [paper.PUBLISHED_REPO, paper.PUBLISHED_SHA256])
def test_the_authors_weights_keep_their_licence_and_names(bundle: Path, origin: str) -> None:
    config = read_json(bundle / "sae/config.json")
    write_json(bundle / "sae/config.json", config | {"origin": f"imported from {origin}; fused"})
    card = cards(bundle, "mit")["sae"]
    assert front(card)["license"] == "cc-by-sa-4.0"
    assert paper.PUBLISHED_REPO in front(card)["base_model"]
    assert front(card)["datasets"] == ["ILSVRC/imagenet-1k"]
    assert "CC BY-SA 4.0" in card
    assert all(author in card for author in paper.AUTHORS)


def test_every_config_is_a_file_with_the_features_that_it_says(
    embedded: dict[str, str],
) -> None:
    from datasets import Features

    for part in ("pairs", "generations", "deltas"):
        data = front(embedded[part])
        infos = {info["config_name"]: info["features"] for info in data["dataset_info"]}
        assert [c.get("default", False) for c in data["configs"]].count(True) == 1
        assert data["configs"][0]["default"]
        for config in data["configs"]:
            (files,) = config["data_files"]
            assert files["split"] == "train"
            schema = pq.read_schema(planted.BUNDLE / part / files["path"])
            told = Features.from_arrow_schema(schema)
            if config["config_name"] in infos:
                assert Features._from_yaml_list(infos[config["config_name"]]) == told
            else:
                assert "image" not in told
        assert "splits" not in str(data["dataset_info"])
        parquet = {p.relative_to(planted.BUNDLE / part).as_posix() for p in _parquet(part)}
        assert {c["data_files"][0]["path"] for c in data["configs"]} == parquet


def _parquet(part: str) -> list[Path]:
    return list((planted.BUNDLE / part).rglob("*.parquet"))


def test_features_are_those_that_datasets_would_write() -> None:
    from datasets import Features

    for table in TABLES:
        assert features(table) == Features.from_arrow_schema(table.schema)._to_yaml_list()


def test_cards_cite_what_is_published_and_tag_what_is_not(embedded: dict[str, str]) -> None:
    model = embedded["sae"]
    for n in (1, 2, 3):
        assert f"/tree/{n:040x}" in model
    assert "| tag `v1.0.0` |" in model
    assert "| this one |" in model
    for part, card in embedded.items():
        for other in KINDS:
            assert REFERENCE.repo(other).id in card, f"{part} does not tell of {other}"
    with pytest.raises(ValueError, match="no whole commit sha"):
        repo = REFERENCE.repo("deltas")
        repo_cards(planted.BUNDLE, [repo], Version(1, 0, 0), {repo: "abc1234"})


def test_counts_are_those_of_the_manifest(embedded: dict[str, str]) -> None:
    for model in read_json(planted.BUNDLE / "bundle.json")["models"]:
        c = model["counts"]["relative"]
        row = f"| {model['title']} | 1,000 | {c.get('suppressed', 0)} | {c.get('exaggerated', 0)} |"
        assert row in embedded["deltas"]
        assert model["run"]["revision"] in embedded["generations"]
        assert f"### {model['title']}\n" in embedded["generations"]


def test_web_images_are_told_of_as_they_are(bundle: Path) -> None:
    path = bundle / "pairs/pairs.parquet"
    table = pq.read_table(path)
    half = table.num_rows // 2
    urls = [f"https://example.org/{n}.jpg" if n < half else None for n in range(table.num_rows)]
    images = [None if n < half else image for n, image in enumerate(table["image"])]
    for name, values in (("url", urls), ("image", images)):
        field = table.schema.field(name)
        column = pa.array(
            [v.as_py() if isinstance(v, pa.Scalar) else v for v in values], field.type
        )
        table = table.set_column(table.schema.get_field_index(name), field, column)
    pq.write_table(table, path)
    card = cards(bundle)["pairs"]
    assert "| with a URL | 500 |" in card
    assert "| with the image in the file | 500 |" in card
    assert "not redistributed unless the publisher chose to" in card
    assert "with neither" not in card


def test_real_pipelines_are_described_in_full(bundle: Path) -> None:
    manifest = read_json(bundle / "bundle.json")
    manifest["models"][0]["run"] |= {
        "source": "org/base",
        "revision": "f" * 40,
        "unet": "org/tuned",
        "unet_revision": "e" * 40,
        "joined": {"org/prior": "d" * 40},
        "scheduler": "PNDMScheduler",
        "settings": {"height": 512, "width": 512, "steps": 50, "guidance": 7.5, "dtype": "float16"},
        "seed": 3,
    }
    manifest["models"][1]["run"] = {"source": "folders"}
    manifest["models"][1]["design"] = "unpaired"
    manifest["models"][1]["null"] |= {"relative_flagged": None, "pairs": 0}
    manifest["models"][1]["dropped"] = {"generated_unreadable": 3}
    write_json(bundle / "bundle.json", manifest)
    found = cards(bundle)
    for told in (
        f"from `org/base` at `{'f' * 40}`",
        f"UNet is that of `org/tuned` at `{'e' * 40}`",
        f"Joined with `org/prior` at `{'d' * 40}`",
        "Sampler `PNDMScheduler`. Settings: dtype float16, guidance 7.5, height 512, steps 50",
        "Seed 3:",
        "brought as image files",
    ):
        assert told in found["generations"]
    assert "| two sets | 3 generated_unreadable |" in found["deltas"]
    assert "| not measured |" in found["deltas"]


def test_what_others_wrote_stays_text(tmp_path: Path) -> None:
    spec = Synthetic(pairs=20, n_concepts=40, hostile=True, models={"m": f"{HOSTILE}\n# x | y"})
    root = write_synthetic(tmp_path / "bundle", spec)
    config = read_json(planted.BUNDLE / "sae/config.json") | {"origin": HOSTILE}
    write_json(root / "sae/config.json", config)
    manifest = change(root, note=f"{HOSTILE}\n---\nlicense: mit\n---", licence="cc0-1.0")
    manifest["models"][0]["run"] = {
        "source": f"`{HOSTILE}`",
        "settings": {HOSTILE: HOSTILE},
        "seed": HOSTILE,
        "licence": HOSTILE,
    }
    write_json(root / "bundle.json", manifest)
    repos = REFERENCE.repos(["pairs", "generations", "deltas", "sae"])
    for repo, content in repo_cards(root, repos, Version(1, 0, 0), {}).items():
        card = content.decode()
        prose = re.sub(r"`[^`\n]*`", "", FRONT.sub("", card))
        for live in ("<img", "<b>", "{{", "\n# x"):
            assert live not in prose, repo
        assert "{{" not in card
        assert front(card)["license"] in ("cc0-1.0", "apache-2.0", "unknown")


@pytest.mark.parametrize("name", ["concepts", "thumbnails", "natural-images/..", 'a"b', "a b", "*"])
def test_a_model_that_cannot_be_a_config_is_refused(name: str) -> None:
    with pytest.raises(BlindspotsError, match="name"):
        configs("deltas", [name])


def test_a_config_file_that_tells_too_little_is_refused(bundle: Path) -> None:
    write_json(bundle / "sae/config.json", {"k": 5})
    with pytest.raises(BlindspotsError, match=r"config\.json lacks d, n_concepts"):
        cards(bundle)


def test_a_manifest_that_tells_too_little_is_refused(bundle: Path) -> None:
    manifest = read_json(bundle / "bundle.json")
    del manifest["models"][1]["null"], manifest["models"][1]["run"]
    write_json(bundle / "bundle.json", manifest)
    with pytest.raises(BlindspotsError, match="no null, run of the model 'alder-1-tuned'"):
        cards(bundle)
    change(bundle, models=[])
    with pytest.raises(BlindspotsError, match="holds no model"):
        cards(bundle)


def test_a_bundle_without_a_backbone_names_that_of_the_hub(bundle: Path) -> None:
    config = read_json(bundle / "sae/config.json")
    named = {"backbone": paper.BACKBONE, "backbone_revision": "c" * 40}
    write_json(bundle / "sae/config.json", config | named)
    repos = REFERENCE.repos(["pairs", "generations", "deltas", "sae"])
    card = repo_cards(bundle, repos, Version(1, 0, 0), {})[REFERENCE.repo("sae")].decode()
    assert front(card)["base_model"] == [paper.BACKBONE]
    assert f'Backbone.load("{paper.BACKBONE}", revision="{"c" * 40}")' in card
    write_json(bundle / "sae/config.json", config)
    card = repo_cards(bundle, repos, Version(1, 0, 0), {})[REFERENCE.repo("sae")].decode()
    assert "base_model" not in front(card)
    assert "Backbone.load" not in card


def test_size_categories() -> None:
    sizes = [size_category(n) for n in (0, 999, 1000, 9_999, 10_000, 2_000_000)]
    assert sizes == ["n<1K", "n<1K", "1K<n<10K", "1K<n<10K", "10K<n<100K", "1M<n<10M"]


def test_front_matter_is_the_same_whatever_the_machine(embedded: dict[str, str]) -> None:
    assert cards(planted.BUNDLE) == embedded
    assert json.dumps(front(embedded["deltas"]), ensure_ascii=False).isprintable()
