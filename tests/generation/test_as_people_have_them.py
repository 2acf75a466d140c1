"""Models as people have them: every class, one file, LoRA, inversions, parts, schedulers."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from checkpoint_fixtures import save_checkpoint, save_lora
from data_fixtures import save_kandinsky, save_stable_diffusion, tiny_unet
from local_hub import Hub
from model_fixtures import (
    save_flux,
    save_pixart,
    save_sana,
    save_sd3,
    save_sdxl,
    tiny_vae,
)
from safetensors.torch import load_file, save_file
from threads import torch_threads

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.access import Access
from blindspots_hub.generation.additions import Additions, Lora, Memory
from blindspots_hub.generation.generate import Generated, TextToImage, load_pipeline
from blindspots_hub.generation.known_model import KnownModel
from blindspots_hub.generation.models import REGISTRY, resolve
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.generate import generate
from blindspots_hub.runs.request import how_generated

SMALL = {"height": 32, "width": 32, "num_inference_steps": 2}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_stable_diffusion(tmp_path_factory.mktemp("people") / "tiny-sd")


def model_of(source: Path | str, settings: dict[str, Any] = SMALL, **fields: Any) -> KnownModel:
    return replace(resolve(str(source)).with_settings(**settings), **fields)


def drawn(source: Path | str, caption: str = "a bird", **additions: Any) -> np.ndarray:
    return pixels(load_pipeline(model_of(source, additions=Additions(**additions)), "cpu"), caption)


def pixels(pipeline: TextToImage, caption: str = "a bird") -> np.ndarray:
    outcome = pipeline.generate(caption, "0" * 16, 0)
    assert isinstance(outcome, Generated), outcome
    return np.asarray(outcome.image).astype(int)


def told(source: Path | str | KnownModel, **additions: Any) -> str:
    with pytest.raises(BlindspotsError) as caught:
        model = source if isinstance(source, KnownModel) else model_of(source)
        if additions:
            model = replace(model, additions=Additions(**additions))
        load_pipeline(model, "cpu")
    return str(caught.value)


def _only_config(folder: Path, sd: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copy(sd / "vae" / "config.json", folder)).parent


def save_v_prediction(folder: Path) -> Path:
    save_stable_diffusion(folder)
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "prediction_type": "v_prediction"}))
    return folder


MAKERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "sd": (save_stable_diffusion, "StableDiffusionPipeline"),
    "sd-v": (save_v_prediction, "StableDiffusionPipeline"),
    "sdxl": (save_sdxl, "StableDiffusionXLPipeline"),
    "sd3": (save_sd3, "StableDiffusion3Pipeline"),
    "flux": (save_flux, "FluxPipeline"),
    "pixart": (save_pixart, "PixArtAlphaPipeline"),
    "pixart-sigma": (lambda folder: save_pixart(folder, sigma=True), "PixArtSigmaPipeline"),
    "sana": (save_sana, "SanaPipeline"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_class_is_generated_and_evaluated(tmp_path: Path, kind: str) -> None:
    make, name = MAKERS[kind]
    folder = make(tmp_path / kind)
    side = 64 if kind != "sd" else 32
    store = generate(
        str(folder), tmp_path / "images", pairs=3, num_inference_steps=2, height=side, width=side,
        batch_size=2,
    )  # fmt: skip
    assert store.about["run"]["pipeline_class"] == name
    assert store.failed == 0
    bundle = evaluate(None, tmp_path / "bundle", generations=tmp_path / "images")
    assert bundle.model(next(iter(bundle.models))).pairs == 3


def test_a_decoder_with_its_prior_is_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    save_kandinsky(tmp_path / "decoder", tmp_path / "prior")
    for name, sha in (("decoder", "1" * 40), ("prior", "2" * 40)):
        repo = tmp_path / "cache" / f"models--org--{name}"
        (repo / "refs").mkdir(parents=True)
        (repo / "refs" / "main").write_text(sha)
        shutil.copytree(tmp_path / name, repo / "snapshots" / sha)
    bundle = evaluate(
        "org/decoder", tmp_path / "out", pairs=3, num_inference_steps=2, height=64, width=64
    )
    assert bundle.model("org--decoder").pairs == 3


def test_a_lora_on_one_file_is_evaluated(sd: Path, tmp_path: Path) -> None:
    path = save_checkpoint(sd, tmp_path / "mine.safetensors")
    unet = diffusers.UNet2DConditionModel.from_pretrained(sd / "unet")
    lora = Lora(str(save_lora(unet, tmp_path / "style.safetensors")), 0.7)
    additions = Additions(loras=(lora,), base=str(sd), scheduler="DDIM")
    bundle = evaluate(
        str(path), tmp_path / "out", pairs=3, num_inference_steps=2, height=32, width=32,
        additions=additions,
    )  # fmt: skip
    run = bundle.model("mine").run
    assert run["additions"]["loras"][0][0] == "style.safetensors"
    assert str(tmp_path) not in json.dumps(run)


def test_a_checkpoint_in_one_file_is_the_folder_it_was_made_of(sd: Path, tmp_path: Path) -> None:
    path = save_checkpoint(sd, tmp_path / "mine.safetensors")
    base = str(sd)
    assert np.abs(drawn(path, base=base) - drawn(sd)).max() <= 1
    pipeline = load_pipeline(model_of(path, additions=Additions(base=base)), "cpu")
    described = pipeline.describe()
    assert described["source"] == "mine.safetensors"
    assert described["revision"].startswith("sha256:")
    assert str(tmp_path) not in json.dumps(described)
    assert pipeline.model.name == "mine"
    half = save_checkpoint(sd, tmp_path / "half.safetensors", half=True)
    assert np.abs(drawn(half, base=base) - drawn(sd)).mean() < 3


def test_one_file_without_what_it_needs_is_told(sd: Path, tmp_path: Path) -> None:
    path = save_checkpoint(sd, tmp_path / "mine.safetensors")
    assert "--base" in told(path)
    bare = save_checkpoint(sd, tmp_path / "bare.safetensors", vae=False)
    assert "holds no VAE: name one with --vae" in told(bare, base=str(sd))
    assert np.abs(drawn(bare, base=str(sd), vae=str(sd)) - drawn(sd)).max() <= 1
    (tmp_path / "broken.safetensors").write_bytes(path.read_bytes()[:5000])
    assert "no whole safetensors" in told(tmp_path / "broken.safetensors", base=str(sd))
    (tmp_path / "old.ckpt").write_bytes(b"x")
    with pytest.raises(BlindspotsError, match=r"never \.ckpt"):
        resolve(str(tmp_path / "old.ckpt"))
    evil = Path(shutil.copytree(sd, tmp_path / "evil"))
    index = json.loads((evil / "model_index.json").read_text())
    (evil / "model_index.json").write_text(json.dumps({**index, "unet": ["subprocess", "Popen"]}))
    assert "code of its own" in told(path, base=str(evil))


def test_the_configuration_of_one_file_is_found_in_the_cache(
    sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what diffusers takes the file for, without its weights."""
    from huggingface_hub import constants

    from blindspots_hub.generation import single_file

    path = save_checkpoint(sd, tmp_path / "mine.safetensors")
    assert single_file.kind_of_checkpoint(path) == (
        "v1", "stable-diffusion-v1-5/stable-diffusion-v1-5",
    )  # fmt: skip
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    repo = tmp_path / "cache" / "models--benjamin-paine--stable-diffusion-v1-5"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("a" * 40)
    skipped = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(sd, repo / "snapshots" / ("a" * 40), ignore=skipped)
    assert np.abs(drawn(path) - drawn(sd)).max() <= 1


def test_loras_change_images_by_their_weight(sd: Path, tmp_path: Path) -> None:
    unet = diffusers.UNet2DConditionModel.from_pretrained(sd / "unet")
    first = str(save_lora(unet, tmp_path / "a" / "style.safetensors"))
    second = str(save_lora(unet, tmp_path / "b" / "pytorch_lora_weights.safetensors", seed=1))
    plain = drawn(sd)
    with_first = drawn(sd, loras=(Lora.parse(first),))
    assert np.abs(with_first - plain).mean() > 0.5
    assert np.abs(drawn(sd, loras=(Lora.parse(f"{first}@0"),)) - plain).max() <= 1
    both = (Lora.parse(f"{first}@0.5"), Lora.parse(str(Path(second).parent)))
    assert np.abs(drawn(sd, loras=both) - with_first).mean() > 0.5
    alpha = save_lora(
        unet, tmp_path / "c.safetensors", metadata={"r": 2, "lora_alpha": 4, "target_modules":
            ["to_q", "to_v"]},
    )  # fmt: skip
    stronger = drawn(sd, loras=(Lora.parse(str(alpha)),))
    assert np.abs(stronger - with_first).mean() > 0.2
    loaded = load_pipeline(model_of(sd, additions=Additions(loras=both)), "cpu").describe()
    assert set(loaded["joined"]) == {"lora style.safetensors", f"lora {Path(second).name}"}
    assert str(tmp_path) not in json.dumps(loaded)


def test_a_part_of_another_kind_is_told_before_anything_is_drawn(sd: Path, tmp_path: Path) -> None:
    assert "is a UNet2DConditionModel, which is no vae" in told(sd, vae=str(sd / "unet"))
    assert "is a AutoencoderKL, which is no unet" in told(model_of(sd, unet=str(sd / "vae")))
    flux = save_flux(tmp_path / "flux")
    assert "which is no transformer" in told(flux, transformer=str(flux / "vae"))


def test_loras_that_do_not_fit_or_mean_harm_are_told(sd: Path, tmp_path: Path) -> None:
    sdxl = save_sdxl(tmp_path / "sdxl")
    other = diffusers.UNet2DConditionModel.from_pretrained(sdxl / "unet")
    path = save_lora(other, tmp_path / "sdxl.safetensors")
    assert "made for another architecture" in told(sd, loras=(Lora(str(path)),))
    flux = diffusers.FluxTransformer2DModel.from_pretrained(
        save_flux(tmp_path / "f") / "transformer"
    )
    path = save_lora(flux, tmp_path / "flux.safetensors")
    assert "made for another architecture" in told(sd, loras=(Lora(str(path)),))
    save_file({"x": torch.zeros(3)}, tmp_path / "none.safetensors")
    assert "made for another" in told(sd, loras=(Lora(str(tmp_path / "none.safetensors")),))
    unet = diffusers.UNet2DConditionModel.from_pretrained(sd / "unet")
    harm = {"r": 2, "megatron_config": {"a": 1}, "megatron_core": "antigravity"}
    evil = save_lora(unet, tmp_path / "evil.safetensors", metadata=harm)
    assert "sets megatron_config in its metadata" in told(sd, loras=(Lora(str(evil)),))
    (tmp_path / "l.bin").write_bytes(b"x")
    assert "no .safetensors file" in told(sd, loras=(Lora(str(tmp_path / "l.bin")),))
    (tmp_path / "cut.safetensors").write_bytes(evil.read_bytes()[:-100])
    assert "can be read" in told(sd, loras=(Lora(str(tmp_path / "cut.safetensors")),))
    with pytest.raises(BlindspotsError, match="There is no LoRA"):
        Lora.parse("nowhere/at/all.safetensors@0.5")
    with pytest.raises(BlindspotsError, match="out of range"):
        Lora.parse(f"{evil}@99")
    two = tmp_path / "two"
    save_lora(unet, two / "a.safetensors")
    save_lora(unet, two / "b.safetensors")
    assert "2 .safetensors files (a.safetensors, b.safetensors)" in told(
        sd, loras=(Lora(str(two)),)
    )


def test_parts_of_the_hub_and_loras_of_the_hub(hub: Hub, sd: Path, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    unet = diffusers.UNet2DConditionModel.from_pretrained(sd / "unet")
    save_lora(unet, tmp_path / "lora" / "odd_name.safetensors")
    torch.manual_seed(5)
    tiny_vae().save_pretrained(tmp_path / "vae")
    for name, folder in (("lora", tmp_path / "lora"), ("vae", tmp_path / "vae")):
        HfApi().create_repo(f"{hub.owner}/{name}")
        HfApi().upload_folder(repo_id=f"{hub.owner}/{name}", folder_path=folder)
    plain = drawn(sd)
    assert np.abs(drawn(sd, loras=(Lora.parse(f"{hub.owner}/lora@0.9"),)) - plain).mean() > 0.3
    named = Lora.parse(f"{hub.owner}/lora:odd_name.safetensors")
    assert np.abs(drawn(sd, loras=(named,)) - plain).mean() > 0.3
    assert np.abs(drawn(sd, vae=f"{hub.owner}/vae") - plain).mean() > 1
    model = model_of(sd, additions=Additions(vae=f"{hub.owner}/vae"))
    assert len(load_pipeline(model, "cpu").describe()["joined"]["vae"]) == 40
    assert "neither a folder here nor" not in told(sd, vae=f"{hub.owner}/nothing")


def test_textual_inversions_teach_a_word(sd: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    save_file({"emb_params": 3 * torch.randn(2, 16)}, tmp_path / "moss.safetensors")
    save_file({"<frog>": 3 * torch.randn(1, 16)}, tmp_path / "learned.safetensors")
    inversions = tuple(str(tmp_path / name) for name in ("moss.safetensors", "learned.safetensors"))
    plain = drawn(sd, "a <frog>")
    assert np.abs(drawn(sd, "a <frog>", inversions=inversions) - plain).mean() > 0.05
    loaded = load_pipeline(model_of(sd, additions=Additions(inversions=inversions)), "cpu")
    assert set(loaded.describe()["joined"]) == {"inversion <moss>", "inversion <frog>"}
    save_file({"emb_params": torch.randn(1, 99)}, tmp_path / "wide.safetensors")
    wrong = (str(tmp_path / "wide.safetensors"),)
    assert "does not fit" in told(sd, inversions=wrong)
    flux = save_flux(tmp_path / "flux")
    message = told(model_of(flux, {}), inversions=inversions)
    assert "textual inversion" in message


def test_another_scheduler_by_name(sd: Path) -> None:
    for name in ("DPMSolverMultistep", "euler_discrete_scheduler", "UniPCMultistepScheduler"):
        pipeline = load_pipeline(model_of(sd, additions=Additions(scheduler=name)), "cpu")
        assert type(pipeline._pipe.scheduler).__name__.lower().startswith(name[:3].lower())
        pixels(pipeline)
    assert "did you mean EulerDiscreteScheduler" in told(sd, scheduler="EulerDiscret")
    assert "does not go with" in told(sd, scheduler="FlowMatchEulerDiscrete")
    for short, name in (("Euler", "EulerDiscrete"), ("unipc", "UniPCMultistep"), ("LCM", "LCM")):
        pipeline = load_pipeline(model_of(sd, additions=Additions(scheduler=short)), "cpu")
        assert type(pipeline._pipe.scheduler).__name__ == f"{name}Scheduler"
        pixels(pipeline)
    assert "SchedulerMixin" not in told(sd, scheduler="Schedul")
    assert "DPMSolverSDE" not in told(sd, scheduler="FlowMatchEulerDiscrete")


@pytest.mark.parametrize(
    ("part", "weights"),
    [
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ],
)
def test_a_network_without_some_of_its_weights_is_refused(
    sd: Path, tmp_path: Path, part: str, weights: str
) -> None:
    folder = Path(shutil.copytree(sd, tmp_path / "lacking"))
    path = folder / part / f"{weights}.safetensors"
    tensors = load_file(path)
    del tensors[sorted(tensors)[-1]]
    save_file(tensors, path, {"format": "pt"})
    assert "lacks weights of its own kind (1, such as" in told(folder)
    if part != "text_encoder":
        addition = {"vae": str(folder)} if part == "vae" else {}
        model = model_of(sd, unet=str(folder) if part == "unet" else None)
        assert "lacks weights" in told(replace(model, additions=Additions(**addition)))
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert "git lfs pull" in told(folder)
    pixels(load_pipeline(model_of(sd), "cpu"))


def test_one_file_that_is_no_model_is_told(sd: Path, tmp_path: Path) -> None:
    base, vae = str(sd), sd / "vae" / "diffusion_pytorch_model.safetensors"
    lora = save_lora(tiny_unet(), tmp_path / "lora.safetensors")
    assert "LoRA weights and no model" in told(lora, base=base)
    assert "no whole checkpoint of a kind" in told(vae, base=base)
    path = save_checkpoint(sd, tmp_path / "mine.safetensors")
    assert "is a file" in told(path, base=str(path))
    assert "is one file" in told(sd, vae=str(vae))
    tensors = load_file(path)
    del tensors[next(name for name in tensors if "cond_stage_model" in name)]
    save_file(tensors, path)
    assert "lacks some weights" in told(path, base=base)


def test_a_lora_of_which_some_layers_fit_says_so(sd: Path, tmp_path: Path) -> None:
    path = save_lora(tiny_unet(), tmp_path / "lora.safetensors")
    whole = load_pipeline(model_of(sd, additions=Additions((Lora(str(path)),))), "cpu")
    assert whole.note == ""
    tensors = load_file(path)
    layers = sum(name.endswith("lora_A.weight") for name in tensors)
    for end, shape in (("A", (2, 16)), ("B", (16, 2))):
        tensors[f"unet.nowhere.to_q.lora_{end}.weight"] = torch.zeros(shape)
    save_file(tensors, path)
    partly = load_pipeline(model_of(sd, additions=Additions((Lora(str(path)),))), "cpu")
    assert f"{layers} of {layers + 1} layers fit" in partly.note


def test_negative_prompts_and_variants(sd: Path, tmp_path: Path) -> None:
    assert np.abs(drawn(sd, negative_prompt="a cat") - drawn(sd)).max() > 0
    half = tmp_path / "half"
    diffusers.StableDiffusionPipeline.from_pretrained(sd).to(torch.float16).save_pretrained(
        half, variant="fp16"
    )
    assert np.abs(drawn(half, variant="fp16") - drawn(sd)).mean() < 3
    assert "no weights of the variant fp16" in told(sd, variant="fp16")
    flux = save_flux(tmp_path / "flux")
    plain = model_of(flux, {"height": 32, "width": 32, "num_inference_steps": 1})
    pixels(load_pipeline(replace(plain, additions=Additions(negative_prompt="x")), "cpu"))
    with pytest.raises(BlindspotsError, match="no variant"):
        Additions(variant="../x")


def test_memory_is_saved_without_another_image(sd: Path) -> None:
    plain = drawn(sd)
    sliced = load_pipeline(model_of(sd, memory=Memory(attention_slicing=True)), "cpu")
    assert np.abs(pixels(sliced) - plain).max() <= 1
    assert drawn(sd, vae_tiling=True).shape == plain.shape
    quantized = load_pipeline(model_of(sd, additions=Additions(quantize="fp8")), "cpu")
    kinds = {one.dtype for one in quantized._pipe.unet.parameters()}
    assert torch.float8_e4m3fn in kinds
    assert 0 < np.abs(pixels(quantized) - plain).mean() < 30
    with pytest.raises(BlindspotsError, match="Offloading needs a GPU"):
        load_pipeline(model_of(sd, memory=Memory(offload="model")), "cpu")
    for wrong in (lambda: Memory(offload="disk"), lambda: Additions(quantize="int3")):  # type: ignore[arg-type]
        with pytest.raises(BlindspotsError, match="is unknown"):
            wrong()


@pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="needs torchao")
def test_weights_as_integers(sd: Path, tmp_path: Path) -> None:
    plain = drawn(sd)
    torch.manual_seed(1)
    tiny_unet().save_pretrained(tmp_path / "dpo" / "unet")
    for unet in (None, str(tmp_path / "dpo")):
        model = model_of(sd, unet=unet, additions=Additions(quantize="torchao_int8"))
        pipeline = load_pipeline(model, "cpu")
        kinds = {type(one).__name__ for one in pipeline._pipe.unet.parameters()}
        assert "Int8Tensor" in kinds
        near = plain if unet is None else pixels(load_pipeline(model_of(sd, unet=unet), "cpu"))
        assert 0 < np.abs(pixels(pipeline) - near).mean() < 30


def test_quantizing_that_cannot_be_done_is_told(
    sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    packages = ("bitsandbytes", "torchao")
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name in packages else find(name)
    )
    assert "needs the package torchao: pip install" in told(sd, quantize="torchao_int8")
    assert "needs the package bitsandbytes" in told(sd, quantize="bitsandbytes_4bit")
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: object())
    assert "needs a GPU, and cpu was chosen" in told(sd, quantize="bitsandbytes_8bit")
    path = save_checkpoint(sd, tmp_path / "mine.safetensors")
    assert "A single file cannot be loaded as" in told(
        path, base=str(sd), quantize="bitsandbytes_8bit"
    )


def test_a_model_of_the_hub_with_parts_and_loras_of_the_hub_is_evaluated(
    hub: Hub, sd: Path, tmp_path: Path
) -> None:
    """The paper's DPO model is put together so; every commit is recorded."""
    from huggingface_hub import HfApi

    unet = tiny_unet()
    unet.save_pretrained(tmp_path / "dpo" / "unet")
    tiny_vae().save_pretrained(tmp_path / "vae")
    save_lora(unet, tmp_path / "lora" / "pytorch_lora_weights.safetensors")
    folders = {"base": sd, **{name: tmp_path / name for name in ("dpo", "vae", "lora")}}
    names, heads = {}, {}
    for name, folder in folders.items():
        names[name] = f"{hub.owner}/{name}"
        HfApi().create_repo(names[name])
        HfApi().upload_folder(repo_id=names[name], folder_path=folder)
        heads[name] = HfApi().model_info(names[name]).sha
    additions = Additions(loras=(Lora.parse(f"{names['lora']}@0.5"),), vae=names["vae"])
    options = {
        "num_inference_steps": 2, "height": 32, "width": 32, "unet": names["dpo"],
        "additions": additions,
    }  # fmt: skip
    store = generate(names["base"], tmp_path / "images", pairs=3, **options)
    assert store.failed == 0
    bundle = evaluate(None, tmp_path / "bundle", generations=tmp_path / "images")
    at_once = evaluate(names["base"], tmp_path / "at-once", pairs=3, **options)
    for found in (bundle, at_once):
        (model,) = found.models
        assert found.model(model).pairs == 3
        run = found.model(model).run
        assert run["revision"] == heads["base"]
        assert run["unet_revision"] == heads["dpo"]
        joined = run["joined"]
        assert joined["vae"] == heads["vae"]
        assert heads["lora"] in joined.values()


def test_a_transformer_is_put_in_and_what_has_none_is_told(sd: Path, tmp_path: Path) -> None:
    flux = save_flux(tmp_path / "flux")
    torch.manual_seed(9)
    config = diffusers.FluxTransformer2DModel.load_config(flux / "transformer")
    diffusers.FluxTransformer2DModel.from_config(config).save_pretrained(tmp_path / "other")
    settings = {"height": 32, "width": 32, "num_inference_steps": 1}
    plain = model_of(flux, settings)
    changed = replace(plain, additions=Additions(transformer=str(tmp_path / "other")))
    pair = [pixels(load_pipeline(model, "cpu")) for model in (plain, changed)]
    assert np.abs(pair[0] - pair[1]).mean() > 0.01
    assert "has no transformer" in told(sd, transformer=str(tmp_path / "other"))
    (tmp_path / "nothing").mkdir()
    assert "has no vae (no vae/config.json" in told(sd, vae=str(tmp_path / "nothing"))
    assert "has no weights of a vae" in told(sd, vae=str(_only_config(tmp_path / "bare", sd)))
    torch.manual_seed(1)
    tiny_unet().save_pretrained(tmp_path / "dpo" / "unet")
    swapped = model_of(sd, unet=str(tmp_path / "dpo"))
    assert np.abs(pixels(load_pipeline(swapped, "cpu")) - drawn(sd)).mean() > 1


def test_what_is_added_is_part_of_what_images_are_known_by(sd: Path, tmp_path: Path) -> None:
    plain = model_of(sd)
    unet = diffusers.UNet2DConditionModel.from_pretrained(sd / "unet")
    path = save_lora(unet, tmp_path / "a.safetensors")
    how = {
        name: json.dumps(how_generated(replace(plain, additions=Additions(**more)), 0))
        for name, more in {
            "plain": {}, "negative": {"negative_prompt": "x"},
            "lora": {"loras": (Lora(str(path)),)},
            "weaker": {"loras": (Lora(str(path), 0.5),)}, "scheduler": {"scheduler": "Euler"},
            "fp8": {"quantize": "fp8"}, "tiled": {"vae_tiling": True},
        }.items()
    }  # fmt: skip
    assert len(set(how.values())) == len(how)
    assert "additions" not in how["plain"], "stores of before are still what they were"
    assert str(tmp_path) not in how["lora"]
    save_file(load_file(path), path, {"format": "pt", "other": "content"})
    again = json.dumps(
        how_generated(replace(plain, additions=Additions(loras=(Lora(str(path)),))), 0)
    )
    assert again != how["lora"], "another file of the same name"
    generate(str(sd), tmp_path / "store", pairs=2, num_inference_steps=1, height=32, width=32)
    with pytest.raises(BlindspotsError, match=r"generated otherwise .additions"):
        generate(
            str(sd), tmp_path / "store", pairs=2, num_inference_steps=1, height=32, width=32,
            additions=Additions(negative_prompt="x"),
        )  # fmt: skip


def test_visitors_of_a_page_get_none_of_it(sd: Path, tmp_path: Path) -> None:
    access = Access(token=False, bounded=True, cache=tmp_path)
    path = save_checkpoint(sd, tmp_path / "mine.safetensors")
    for model in (
        model_of(path, additions=Additions(base=str(sd))),
        model_of(sd, additions=Additions(scheduler="Euler")),
    ):
        assert "not loaded for visitors" in told(replace(model, access=access))


def test_distilled_models_have_their_own_steps_and_guidance() -> None:
    expected = {
        "sd-turbo": (1, 0.0), "sdxl-turbo": (1, 0.0), "lcm-dreamshaper": (4, 8.0),
        "flux-schnell": (4, 0.0), "sd35-large-turbo": (4, 0.0), "sdxl": (None, None),
        "sana": (20, 4.5), "pixart-sigma": (None, None), "kandinsky22": (None, None),
    }  # fmt: skip
    for name, (steps, guidance) in expected.items():
        settings = REGISTRY[name].settings
        assert (settings.num_inference_steps, settings.guidance_scale) == (steps, guidance)
