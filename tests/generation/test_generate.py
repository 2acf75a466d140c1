from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from data_fixtures import save_ddpm, save_kandinsky, save_stable_diffusion, tiny_unet
from PIL import Image
from threads import torch_threads

from blindspots_hub.data.identity import pair_seed
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation import models, pipeline_files
from blindspots_hub.generation.generate import (
    Failed,
    Generated,
    TextToImage,
    load_pipeline,
    pick_device,
)
from blindspots_hub.generation.models import KnownModel, register_pipeline_class, resolve

SMALL = {"height": 32, "width": 32, "num_inference_steps": 2}


class CrayonPipeline(diffusers.DiffusionPipeline):
    """A pipeline of this process: one colour and noise by the generator; words steer its faults."""

    fits = 3

    def __init__(self, crayons: int = 8) -> None:
        super().__init__()
        self.register_to_config(crayons=crayons)

    def __call__(
        self, prompt: list[str], height: int = 16, width: int = 16, generator: Any = None
    ) -> SimpleNamespace:
        if len(prompt) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        if any("poison" in text for text in prompt):
            raise KeyError("poison")
        if any("device-lost" in text for text in prompt):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        images = []
        for text, source in zip(prompt, generator, strict=True):
            noise = torch.randint(0, 255, (height, width, 3), generator=source).numpy()
            noise = np.zeros_like(noise) if "empty" in text else noise
            images.append(Image.fromarray(noise.astype(np.uint8)))
        unsafe = ["unsafe" in text for text in prompt]
        return SimpleNamespace(images=images, nsfw_content_detected=unsafe)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads cost more than they gain on networks this small."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_stable_diffusion(tmp_path_factory.mktemp("models") / "tiny-sd")


@pytest.fixture(scope="session")
def loaded(diffusion: Path) -> TextToImage:
    return load_pipeline(resolve(str(diffusion)).with_settings(**SMALL), "cpu")


@pytest.fixture
def copied(diffusion: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(diffusion, tmp_path / "copied"))


@pytest.fixture
def crayon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextToImage:
    monkeypatch.setattr(models, "PIPELINE_CLASSES", {})
    for module in ("pipeline_source", "pipeline_files"):
        monkeypatch.setattr(
            f"blindspots_hub.generation.{module}.PIPELINE_CLASSES", models.PIPELINE_CLASSES
        )
    CrayonPipeline().save_pretrained(tmp_path / "crayon")
    register_pipeline_class(CrayonPipeline)
    return load_pipeline(resolve(str(tmp_path / "crayon")), "cpu")


def pixels(outcome: Generated | Failed) -> np.ndarray:
    assert isinstance(outcome, Generated), outcome
    return np.asarray(outcome.image).astype(int)


def told(spec: str | KnownModel, **settings: Any) -> str:
    model = resolve(spec) if isinstance(spec, str) else spec
    with pytest.raises(BlindspotsError) as caught:
        load_pipeline(model.with_settings(**settings), "cpu")
    return str(caught.value)


def test_a_caption_becomes_the_same_image_again(loaded: TextToImage) -> None:
    first = loaded.generate("a bird", "0" * 16, seed=3)
    assert isinstance(first, Generated)
    assert first.seed == pair_seed("0" * 16, 3)
    assert (first.image.mode, first.image.size, first.flags) == ("RGB", (32, 32), ())
    assert np.array_equal(pixels(first), pixels(loaded.generate("a bird", "0" * 16, seed=3)))
    for other in (
        loaded.generate("a bird", "0" * 16, seed=4),
        loaded.generate("a bird", "1" * 16, seed=3),
    ):
        assert np.abs(pixels(first) - pixels(other)).mean() > 5


def test_batch_and_order_change_no_image(loaded: TextToImage) -> None:
    pairs = [(f"a bird {letter}", letter * 16) for letter in "abc"]
    alone = [pixels(loaded.generate(*pair, seed=0)) for pair in pairs]
    for order in ([0, 1, 2], [2, 0, 1]):
        together = loaded.generate_batch([pairs[i] for i in order], seed=0)
        for i, outcome in zip(order, together, strict=True):
            # Other batch sizes sum floats in another order: one level of 255, no more.
            assert np.abs(pixels(outcome) - alone[i]).max() <= 1
    assert loaded.generate_batch([], seed=0) == []


def test_a_caption_that_is_too_long_is_flagged(loaded: TextToImage) -> None:
    kept = loaded.generate("x " * 75, "0" * 16, 0)
    cut = loaded.generate("x " * 76, "0" * 16, 0)
    assert isinstance(kept, Generated)
    assert isinstance(cut, Generated)
    assert (kept.flags, cut.flags) == ((), ("caption_truncated",))


def test_the_description_is_json_and_names_no_path(loaded: TextToImage, diffusion: Path) -> None:
    described = json.loads(json.dumps(loaded.describe()))
    assert described["pipeline_class"] == "StableDiffusionPipeline"
    assert described["scheduler"] == "DDIMScheduler"
    assert described["settings"] == {**SMALL, "guidance_scale": None, "dtype": "float32"}
    assert described["revision"].startswith("sha256:")
    assert set(described["versions"]) == {"diffusers", "torch", "transformers"}
    assert str(diffusion.parent) not in json.dumps(described)


def test_other_weights_have_another_revision(copied: Path, loaded: TextToImage) -> None:
    def revision() -> str:
        value: str = load_pipeline(resolve(str(copied)), "cpu").describe()["revision"]
        return value

    assert revision() == loaded.describe()["revision"]
    scheduler = copied / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace("100", "90"))
    assert revision() != loaded.describe()["revision"]


def test_the_unet_of_another_folder_is_put_in(
    diffusion: Path, loaded: TextToImage, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    other = tmp_path / "other"
    tiny_unet().save_pretrained(other / "unet")
    model = KnownModel(name="dpo", source=str(diffusion), title="t", unet=str(other))
    variant = load_pipeline(model.with_settings(**SMALL), "cpu")
    base = loaded.generate("a bird", "0" * 16, 0)
    assert np.abs(pixels(variant.generate("a bird", "0" * 16, 0)) - pixels(base)).mean() > 1
    assert variant.describe()["unet"] == "other"
    assert variant.describe()["unet_revision"].startswith("sha256:")


def test_what_is_not_text_to_image_is_refused(tmp_path: Path, copied: Path) -> None:
    assert "takes no caption" in told(str(save_ddpm(tmp_path / "ddpm")))
    index = copied / "model_index.json"
    text = index.read_text()
    for cls, reason in (
        ("StableDiffusionImg2ImgPipeline", "wants an image"),
        ("StableDiffusionControlNetPipeline", "wants an image"),
        ("TextToVideoSDPipeline", "makes video or sound"),
        ("NoSuchPipeline", "diffusers 0."),
        ("UNet2DConditionModel", "does not have"),
        ("KandinskyV22Pipeline", "half of a KandinskyV22CombinedPipeline"),
    ):
        index.write_text(text.replace("StableDiffusionPipeline", cls))
        assert reason in told(str(copied)), cls


def test_settings_that_a_pipeline_does_not_take_are_told(crayon: TextToImage) -> None:
    assert "takes no num_inference_steps" in told(crayon.model, num_inference_steps=3)


def test_only_safetensors_are_read(copied: Path) -> None:
    from safetensors.torch import load_file

    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    load_pipeline(resolve(str(copied)), "cpu")
    weights.unlink()
    message = told(str(copied))
    assert "only as a pickle (diffusion_pytorch_model.bin)" in message
    assert str(copied) in message


def test_code_in_a_pipeline_folder_is_refused_unrun(copied: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    index = copied / "model_index.json"
    content = json.loads(index.read_text())
    code = f"from pathlib import Path\nPath({str(trace)!r}).write_text('ran')\n"
    (copied / "unet" / "mine.py").write_text(code)
    (copied / "mine.py").write_text(code)
    for change in (
        {"unet": ["mine", "UNet"]},
        {"unet": ["subprocess", "Popen"]},
        {"_class_name": ["mine", "Pipe"]},
    ):
        index.write_text(json.dumps({**content, **change}))
        assert "code of its own" in told(str(copied))
    assert not trace.exists()


def test_folders_that_are_not_whole_are_told(copied: Path) -> None:
    weights = copied / "vae" / "diffusion_pytorch_model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    assert "damaged weights in its vae" in told(str(copied))
    weights.unlink()
    assert "vae/*.safetensors is missing" in told(str(copied))
    shutil.rmtree(copied / "tokenizer")
    assert "tokenizer/ is missing" in told(str(copied))
    (copied / "model_index.json").write_text("{")
    assert "not valid JSON" in told(str(copied))
    model = resolve(str(copied))
    (copied / "model_index.json").unlink()
    assert "no model_index.json" in told(model)


def test_a_registered_class_loads_and_flags(crayon: TextToImage) -> None:
    outcomes = crayon.generate_batch([("empty", "a"), ("unsafe", "b"), ("a bird", "c")], 0)
    assert [outcome.flags for outcome in outcomes if isinstance(outcome, Generated)] == [
        ("blank",),
        ("blank",),
        (),
    ]


def test_lack_of_memory_halves_the_batch(crayon: TextToImage) -> None:
    pairs = [("a bird", str(i)) for i in range(11)]
    outcomes = crayon.generate_batch(pairs, 0)
    assert crayon._largest_batch == 2
    for (caption, name), outcome in zip(pairs, outcomes, strict=True):
        assert np.array_equal(pixels(outcome), pixels(crayon.generate(caption, name, 0)))
    CrayonPipeline.fits = 0
    try:
        failed = crayon.generate_batch(pairs[:2], 0)
    finally:
        CrayonPipeline.fits = 3
    assert [outcome.cause for outcome in failed if isinstance(outcome, Failed)] == [
        "out_of_memory"
    ] * 2


def test_one_bad_caption_fails_alone(crayon: TextToImage) -> None:
    outcomes = crayon.generate_batch([("a", "1"), ("poison", "2"), ("b", "3")], 0)
    assert [type(outcome) for outcome in outcomes] == [Generated, Failed, Generated]
    failed = outcomes[1]
    assert isinstance(failed, Failed)
    assert (failed.cause, failed.reason) == ("pipeline_error", "KeyError: 'poison'")


def test_a_lost_device_ends_the_run_in_a_sentence(crayon: TextToImage) -> None:
    with pytest.raises(BlindspotsError, match=r"illegal memory access.*what is drawn is kept"):
        crayon.generate("device-lost", "0", 0)


def test_devices() -> None:
    assert pick_device("cpu") == "cpu"
    assert pick_device() in ("cpu", "mps", "cuda")
    for unknown in ("gpu", "cuda:99", ""):
        with pytest.raises(BlindspotsError, match="not on this machine"):
            pick_device(unknown)


def fake_cache(root: Path, folder: Path, sha: str, name: str = "tiny") -> Path:
    """Put `folder` into a Hub cache as org/`name`, as the client would."""
    repo = root / f"models--org--{name}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(sha)
    return Path(shutil.copytree(folder, repo / "snapshots" / sha))


def test_a_cached_hub_model_needs_no_hub(
    diffusion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    def no_hub() -> bool:
        raise AssertionError("the Hub was asked for")

    sha = "0123456789" * 4
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(pipeline_files, "hub_reachable", no_hub)
    snapshot = fake_cache(tmp_path, diffusion, sha)
    model = resolve("org/tiny").with_settings(**SMALL)
    pipeline = load_pipeline(model, "cpu")
    assert pipeline.describe()["revision"] == sha
    assert pipeline.describe()["source"] == "org/tiny"
    variant = KnownModel(name="v", source="org/tiny", title="t", unet="org/tiny")
    assert load_pipeline(variant, "cpu").describe()["unet_revision"] == sha
    # A download that was cut short is not taken for a model.
    (snapshot / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    monkeypatch.setattr(pipeline_files, "hub_reachable", lambda: False)
    assert "cannot be reached" in told(model)


def test_a_decoder_is_joined_with_its_prior(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pipeline_files, "hub_reachable", lambda: False)
    save_kandinsky(tmp_path / "decoder", tmp_path / "prior")
    fake_cache(tmp_path / "cache", tmp_path / "decoder", "1" * 40, "decoder")
    model = resolve("org/decoder").with_settings(height=64, width=64, num_inference_steps=2)
    assert "org/prior is neither" in told(model)
    fake_cache(tmp_path / "cache", tmp_path / "prior", "2" * 40, "prior")
    pipeline = load_pipeline(model, "cpu")
    assert pipeline.describe()["pipeline_class"] == "KandinskyV22CombinedPipeline"
    assert pipeline.describe()["joined"] == {"org/prior": "2" * 40}
    # Pinned, it needs no branch that names the commit.
    (tmp_path / "cache/models--org--prior/refs/main").unlink()
    pinned = replace(model, prior_revision="2" * 40)
    assert load_pipeline(pinned, "cpu").describe()["joined"] == {"org/prior": "2" * 40}
    # Its schedulers draw noise at every step: from each image's own generator too.
    alone = pipeline.generate("a bird", "0" * 16, 0)
    together = pipeline.generate_batch([("a cat", "1" * 16), ("a bird", "0" * 16)], 0)
    assert np.abs(pixels(together[1]) - pixels(alone)).max() <= 1


def test_a_hub_that_never_answers_is_told_within_three_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        start = time.monotonic()
        message = told("org/never-seen")
        assert time.monotonic() - start < 3
    assert "cannot be reached" in message
    assert "org/never-seen" in message
