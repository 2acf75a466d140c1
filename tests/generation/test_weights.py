"""Weights of any number format and variant are run as they are, or as somebody asks."""

from __future__ import annotations

import shutil
from pathlib import Path

import diffusers
import pytest
import torch
from data_fixtures import save_stable_diffusion

from blindspots_hub.generation import weights
from blindspots_hub.generation.generate import Generated, TextToImage, load_pipeline
from blindspots_hub.generation.models import resolve
from blindspots_hub.generation.pipelines import load
from blindspots_hub.generation.weights import own_dtype, run_as, variant_of
from blindspots_hub.utils.files import public_name

SMALL = {"height": 32, "width": 32, "num_inference_steps": 2}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model as float32, bfloat16, only as the variant fp16 (whole and in shards), and mixed."""
    root = tmp_path_factory.mktemp("weights")
    save_stable_diffusion(root / "plain")

    def saved(name: str, dtype: torch.dtype, **options: object) -> None:
        pipe = diffusers.StableDiffusionPipeline.from_pretrained(
            root / "plain", torch_dtype=dtype, safety_checker=None
        )
        pipe.save_pretrained(root / name, **options)

    saved("bf16", torch.bfloat16)
    saved("fp16", torch.float16, variant="fp16")
    saved("sharded", torch.float16, variant="fp16", max_shard_size="300KB")
    shutil.copytree(root / "plain", root / "mixed")
    shutil.rmtree(root / "mixed" / "unet")
    shutil.copytree(root / "fp16" / "unet", root / "mixed" / "unet")
    return root


@pytest.mark.parametrize(
    ("name", "own", "variant"),
    [
        ("plain", "float32", None),
        ("bf16", "bfloat16", None),
        ("fp16", "float16", "fp16"),
        ("sharded", "float16", "fp16"),
        ("mixed", "float16", "fp16"),
    ],
)
def test_weights_are_run_in_their_own_format(
    folders: Path, name: str, own: str, variant: str | None
) -> None:
    folder = folders / name
    assert (own_dtype(folder), variant_of(folder)) == (own, variant)
    model = resolve(str(folder)).with_settings(**SMALL)
    on_cuda = load(model, "cuda", "cpu")  # resting in main memory, as on ZeroGPU
    assert (on_cuda.dtype, next(on_cuda.pipe.unet.parameters()).dtype) == (own, getattr(torch, own))
    drawn = TextToImage(model, on_cuda, "cpu").generate("a cat", "0" * 16, 0)
    assert isinstance(drawn, Generated)
    pipeline = load_pipeline(model, "cpu")
    assert pipeline.dtype == "float32"
    assert isinstance(pipeline.generate("a cat", "0" * 16, 0), Generated)


def test_a_format_that_is_asked_for_is_run(folders: Path) -> None:
    model = resolve(str(folders / "plain")).with_settings(**SMALL, dtype="bfloat16")
    pipeline = load_pipeline(model, "cpu")
    assert pipeline.describe()["settings"]["dtype"] == "bfloat16"


def test_hardware_without_bfloat16_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_as("bfloat16", "cuda") == ("bfloat16", "")
    monkeypatch.setattr(weights, "_has_bfloat16", lambda: False)
    dtype, told = run_as("bfloat16", "cuda:0")
    assert dtype == "float32"
    assert "cuda:0 does not have" in told
    assert run_as("float16", "cuda") == ("float16", "")
    assert run_as("bfloat16", "cpu") == ("float32", "")


def test_a_snapshot_of_the_hubs_cache_has_the_name_of_its_repository(
    folders: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "models--org--tiny-sd" / "snapshots" / ("0" * 40)
    blobs = tmp_path / "models--org--tiny-sd" / "blobs"
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted((folders / "fp16").rglob("*"))):
        if path.is_file():
            shutil.copyfile(path, blobs / str(number))
            link = snapshot / path.relative_to(folders / "fp16")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blobs / str(number))
    model = resolve(str(snapshot))
    assert (model.name, model.title, public_name(snapshot)) == (
        "org--tiny-sd", "org/tiny-sd", "org/tiny-sd",
    )  # fmt: skip
    pipeline = load_pipeline(model.with_settings(**SMALL), "cpu")
    assert pipeline.describe()["revision"] == "0" * 40


def test_damaged_headers_count_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    for content in (b"", b"\xff" * 16, (3).to_bytes(8, "little") + b"[1]"):
        (tmp_path / "unet" / "a.safetensors").write_bytes(content)
        assert own_dtype(tmp_path) is None
