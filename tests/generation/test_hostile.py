"""Hostile model folders: nothing of them runs, nothing fills the memory, each is a sentence."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import pytest
from data_fixtures import save_stable_diffusion
from engine_fixtures import files
from hostile_models import MAKERS, RAN, UNET

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.foreign import check_foreign
from blindspots_hub.generation.generate import load_pipeline
from blindspots_hub.generation.models import resolve
from blindspots_hub.generation.rehearsal import rehearse


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_stable_diffusion(tmp_path_factory.mktemp("model") / "sd")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "sd"))


def peak() -> int:
    told = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", told)[1])  # type: ignore[index]


def test_there_are_enough_and_the_whole_one_is_let_in(whole: Path) -> None:
    assert len(MAKERS) >= 80
    check_foreign(whole, "it")


@pytest.mark.parametrize("name", MAKERS)
def test_a_hostile_folder_is_refused_in_a_sentence(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the call that users make, with a terminal that would say yes to everything."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 50))
    MAKERS[name](folder)
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    with pytest.raises(BlindspotsError) as told:
        load_pipeline(resolve(str(folder)), "cpu")
    assert "Traceback" not in str(told.value)
    assert len(str(told.value)) < 1500
    assert not list(folder.parent.rglob(RAN)), "code of the folder ran"
    assert peak() - before < 2**30


def test_what_is_read_is_not_changed(folder: Path) -> None:
    before = files(folder)
    check_foreign(folder, "it")
    assert files(folder) == before


def test_plain_attention_and_no_quantiser_are_let_in(folder: Path) -> None:
    config = json.loads((folder / "text_encoder/config.json").read_text())
    config |= {"_attn_implementation": "sdpa", "quantization_config": None, "auto_map": None}
    (folder / "text_encoder/config.json").write_text(json.dumps(config))
    check_foreign(folder, "it")


def test_links_of_the_hubs_cache_are_let_in(whole: Path, tmp_path: Path) -> None:
    repo = tmp_path / "models--org--name"
    snapshot = repo / "snapshots" / ("a" * 40)
    (repo / "blobs").mkdir(parents=True)
    for number, (name, content) in enumerate(files(whole).items()):
        (repo / "blobs" / str(number)).write_bytes(content)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(repo / "blobs" / str(number))
    check_foreign(snapshot, "it")


def test_a_visitors_model_is_built_in_a_process_first(folder: Path) -> None:
    """Whole ones pass; what builds more than its weights hold, or fills the memory, ends there."""
    rehearse(folder, "org/name")
    config = json.loads((folder / UNET).read_text())
    wide = {"block_out_channels": [8192, 16384], "norm_num_groups": 8, "layers_per_block": 3}
    (folder / UNET).write_text(json.dumps(config | wide))
    with pytest.raises(BlindspotsError, match=r"org/name asks for [\d,]+ numbers in its unet"):
        rehearse(folder, "org/name")
    (folder / UNET).write_text(json.dumps(config))
    with pytest.raises(BlindspotsError, match=r"memory|built"):
        rehearse(folder, "org/name", memory=100 * 1024**2)
    with pytest.raises(BlindspotsError, match="takes more than"):
        rehearse(folder, "org/name", deadline=0.5)
