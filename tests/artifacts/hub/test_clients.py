"""The libraries that people use, with the tests' Hub: nothing of ours in between."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from data_fixtures import plain, save_stable_diffusion
from huggingface_hub import HfApi, PyTorchModelHubMixin
from PIL import Image

COLOURS = [(200, 40, 40), (40, 200, 40), (40, 40, 200)]


def run(*command: str, **environment: str) -> str:
    """What a command says in a process of its own, where nothing is patched."""
    ran = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def image_table() -> bytes:
    """Three rows of text and image, as a Parquet file with the Image feature's metadata."""
    features = {
        "image": {"_type": "Image"},
        "caption": {"dtype": "string", "_type": "Value"},
    }
    schema = pa.schema(
        {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()}), "caption": pa.string()},
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    rows = [
        {"image": {"bytes": plain(colour), "path": f"{i}.png"}, "caption": f"bird {i}"}
        for i, colour in enumerate(COLOURS)
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    return buffer.getvalue()


@pytest.fixture
def birds(hub) -> str:
    """A data set of three images, with a card that names its files."""
    api = HfApi()
    repo_id = api.create_repo(f"{hub.owner}/birds", repo_type="dataset").repo_id
    front = "configs:\n- config_name: all\n  default: true\n  data_files:\n  - split: seen\n"
    card = f"---\nlicense: mit\n{front}    path: data/*.parquet\n---\n# Birds\n"
    hub.server.repo("dataset", repo_id).write({"README.md": card.encode()})
    api.upload_file(
        path_or_fileobj=image_table(),
        path_in_repo="data/birds.parquet",
        repo_id=repo_id,
        repo_type="dataset",
    )
    api.create_tag(repo_id, tag="v1.0.0", repo_type="dataset")
    return repo_id


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("revision", ["v1.0.0", "sha"])
def test_load_dataset_decodes_images(hub, birds, streaming, revision):
    from datasets import load_dataset

    sha = hub.server.repo("dataset", birds).head
    rows = load_dataset(
        birds,
        split="seen",
        streaming=streaming,
        revision=sha if revision == "sha" else revision,
    )
    rows = list(rows)
    assert [row["caption"] for row in rows] == ["bird 0", "bird 1", "bird 2"]
    assert [row["image"].getpixel((0, 0)) for row in rows] == COLOURS


def test_a_data_set_is_pushed_by_datasets_itself(hub, tmp_path):
    from datasets import Dataset, load_dataset

    repo_id = f"{hub.owner}/pushed"
    images = [Image.new("RGB", (4, 4), colour) for colour in COLOURS]
    Dataset.from_dict({"image": images}).push_to_hub(repo_id, private=True)
    assert hub.server.repo("dataset", repo_id).private
    assert load_dataset(repo_id, split="train")[1]["image"].getpixel((0, 0)) == COLOURS[1]


def test_a_transformers_model_is_pushed_and_loaded(hub):
    from transformers import AutoModel, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    torch.manual_seed(0)
    config = Dinov2WithRegistersConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    model = Dinov2WithRegistersModel(config).eval()
    repo_id = f"{hub.owner}/tiny-dinov2"
    model.push_to_hub(repo_id)
    sha = hub.server.repo("model", repo_id).head
    loaded = AutoModel.from_pretrained(repo_id, revision=sha).eval()
    pixels = torch.rand(1, 3, 28, 28)
    with torch.no_grad():
        same = loaded(pixels).last_hidden_state == model(pixels).last_hidden_state
    assert bool(same.all())


class Tiny(torch.nn.Module, PyTorchModelHubMixin, library_name="tests", license="mit"):
    """A model that says what it was made with."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(width, width)


def test_the_mixin_pushes_and_loads(hub):
    model = Tiny(width=3)
    repo_id = f"{hub.owner}/mixed"
    model.push_to_hub(repo_id)
    repo = hub.server.repo("model", repo_id)
    assert {"README.md", "config.json", "model.safetensors"} <= set(repo.paths())
    assert "license: mit" in repo.read("README.md").decode()
    loaded = Tiny.from_pretrained(repo_id, revision=repo.head)
    assert bool((loaded.layer.weight == model.layer.weight).all())


def test_a_diffusion_pipeline_is_loaded(hub, tmp_path):
    from diffusers import DiffusionPipeline

    repo_id = f"{hub.owner}/tiny-diffusion"
    api = HfApi()
    api.create_repo(repo_id)
    api.upload_folder(folder_path=save_stable_diffusion(tmp_path / "tiny"), repo_id=repo_id)
    pipeline = DiffusionPipeline.from_pretrained(repo_id)
    local = DiffusionPipeline.from_pretrained(tmp_path / "tiny")

    def draw(pipe: DiffusionPipeline) -> np.ndarray:
        pipe.set_progress_bar_config(disable=True)
        seed = torch.Generator().manual_seed(0)
        size = {"height": 16, "width": 16, "num_inference_steps": 1}
        return pipe("a bird", generator=seed, output_type="np", **size).images

    assert np.array_equal(draw(pipeline), draw(local))


def test_the_hf_command_lists_and_downloads(hub, birds, tmp_path):
    hf = str(Path(sys.executable).with_name("hf"))
    assert birds in run(hf, "datasets", "ls", "--author", hub.owner, "--expand", "private")
    listed = run(hf, "datasets", "ls", birds, "--recursive", "--revision", "v1.0.0")
    assert "data/birds.parquet" in listed
    with hub.recorded() as requests:
        run(
            *(hf, "download", birds, "--repo-type", "dataset", "--revision", "v1.0.0"),
            *("--local-dir", str(tmp_path / "out")),
        )
    assert (tmp_path / "out/data/birds.parquet").read_bytes() == image_table()
    assert all(logged.token for logged in requests if logged.route == "download.file")


XET = """
import os, sys
from huggingface_hub import HfApi, hf_hub_download
api, repo_id, content = HfApi(), sys.argv[1], os.urandom(300_000)
api.create_repo(repo_id)
api.upload_file(path_or_fileobj=content, path_in_repo="large.bin", repo_id=repo_id)
with open(hf_hub_download(repo_id, "large.bin"), "rb") as file:
    assert file.read() == content
"""


def test_large_files_go_through_xet_where_it_is_on(hub):
    repo_id = f"{hub.owner}/xet"
    with hub.recorded() as requests:
        run(sys.executable, "-c", XET, repo_id, HF_HUB_DISABLE_XET="0")
    routes = [logged.route for logged in requests]
    assert {"xet.write", "xet.read"} <= set(routes)
    assert not [name for name in routes if name.startswith("lfs.")]
    assert "download.lfs" not in routes
    entry = hub.server.repo("model", repo_id).file("large.bin")
    assert entry.lfs is not None
    assert entry.size == 300_000
