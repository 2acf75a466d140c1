"""Makers of hostile model folders: each changes a whole Stable Diffusion folder in one way.

`MAKERS` maps a name to a function of the folder. What runs code of the folder leaves a file
`RAN` beside it.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

Maker = Callable[[Path], None]
MAKERS: dict[str, Maker] = {}
RAN = "it-ran"
CODE = f"from pathlib import Path\nPath(__file__).resolve().parents[1].joinpath('{RAN}').touch()\n"


class Payload:
    """A pickle that runs code."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def _add(name: str, maker: Maker) -> None:
    assert name not in MAKERS
    MAKERS[name] = maker


def _json(path: str, **settings: Any) -> Maker:
    def make(folder: Path) -> None:
        found = json.loads((folder / path).read_text())
        (folder / path).write_text(json.dumps({**found, **settings}))

    return make


def _text(path: str, content: str | bytes) -> Maker:
    def make(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode() if isinstance(content, str) else content
        (folder / path).write_bytes(raw)

    return make


INDEX, UNET, TEXT = "model_index.json", "unet/config.json", "text_encoder/config.json"
VAE, SCHEDULER = "vae/config.json", "scheduler/scheduler_config.json"
TOKENIZER = "tokenizer/tokenizer_config.json"

# ---- code ----------------------------------------------------------------------------------------
for _number, _value in enumerate(
    [
        ["os", "system"],
        ["builtins", "eval"],
        ["subprocess", "Popen"],
        ["mine", "Mine"],
        ["..mine", "Mine"],
        ["unet", "Mine"],
        ["diffusers", "DiffusionPipeline"],
        ["diffusers", "StableDiffusionPipeline"],
        ["diffusers", "AutoModel"],
        ["diffusers", "AutoPipelineForText2Image"],
        ["transformers", "AutoModel"],
        ["transformers", "pipeline"],
        ["transformers", "TimmWrapperModel"],
        ["transformers", "TrainingArguments"],
        ["transformers", "AutoModelForCausalLM"],
        ["transformers", "RagModel"],
        ["stable_diffusion", "importlib"],
        ["pipeline_utils", "os"],
        ["onnxruntime", "OnnxRuntimeModel"],
        ["diffusers.utils", "load_image"],
        ["transformers.utils", "hub"],
        ["peft", "PeftModel"],
        ["diffusers", "nothing_of_the_kind"],
        ["diffusers", {"class": "UNet2DConditionModel"}],
        ["diffusers", ["UNet2DConditionModel"]],
        ["diffusers"],
        ["diffusers", "UNet2DConditionModel", "more"],
        [None, "UNet2DConditionModel"],
    ]
):
    _add(f"component-{_number}", _json(INDEX, unet=_value))
for _number, _name in enumerate(["../elsewhere", "/etc", "a/b", "..", "unet/../../x"]):
    _add(
        f"component-place-{_number}", _json(INDEX, **{_name: ["diffusers", "UNet2DConditionModel"]})
    )
_add("pipeline-of-its-own", _json(INDEX, _class_name=["mine", "Mine"]))
_add("pipeline-unknown", _json(INDEX, _class_name="Mine"))
_add("pipeline-os", _json(INDEX, _class_name="os"))
_add("index-list", _text(INDEX, "[]"))
_add("index-deep", _text(INDEX, "[" * 100_000))
_add("index-nan", _text(INDEX, '{"_class_name": NaN}'))


def _mapped(path: str) -> Maker:
    def make(folder: Path) -> None:
        _json(path, auto_map={"AutoModel": "mine.Mine", "AutoTokenizer": ["mine.Mine", None]})(
            folder
        )
        _text(f"{path.rpartition('/')[0] or '.'}/mine.py", CODE)(folder)

    return make


for _number, _path in enumerate([UNET, TEXT, VAE, SCHEDULER, TOKENIZER, INDEX]):
    _add(f"auto-map-{_number}", _mapped(_path))
_add("auto-map-deep", _json(TEXT, text_config={"vision": [{"auto_map": {"AutoModel": "m.M"}}]}))
for _number, _value in enumerate(["org/kernel", "flash_attention_2", "kernels-community/x:y", 7]):
    _add(f"attention-{_number}", _json(TEXT, _attn_implementation=_value))
_add("attention-deep", _json(TEXT, text_config={"attn_implementation": {"": "org/kernel"}}))
for _number, _path in enumerate([UNET, TEXT, VAE, INDEX]):
    _add(f"quantised-{_number}", _json(_path, quantization_config={"quant_method": "bitsandbytes"}))
_add("timm", _json(TEXT, use_timm_backbone=True, backbone="org/x"))
_add("adapter", _text("text_encoder/adapter_config.json", '{"base_model_name_or_path": "org/x"}'))
_add("adapter-unet", _text("unet/adapter_config.json", "{}"))
_add("trust", _json(TOKENIZER, trust_remote_code=True))

# ---- pickles, at any depth -----------------------------------------------------------------------


def _pickle(part: str, name: str, remove: str | None) -> Maker:
    def make(folder: Path) -> None:
        if remove is not None:
            (folder / part / remove).unlink()
        torch.save({"w": Payload(folder.parent / RAN)}, folder / part / name)

    return make


_UNET_WEIGHTS = "diffusion_pytorch_model.safetensors"
_add("pickle-unet", _pickle("unet", "diffusion_pytorch_model.bin", _UNET_WEIGHTS))
_add("pickle-text", _pickle("text_encoder", "pytorch_model.bin", "model.safetensors"))
_add("pickle-named-safetensors", _pickle("unet", _UNET_WEIGHTS, _UNET_WEIGHTS))


def _shards(
    part: str, prefix: str, shard: str, remove: str, suffix: str = "safetensors", end: str = "json"
) -> Maker:
    def make(folder: Path) -> None:
        (folder / part / remove).unlink()
        index = {"metadata": {"total_size": 1}, "weight_map": {"a": shard, "b": shard}}
        (folder / part / f"{prefix}.{suffix}.index.{end}").write_text(json.dumps(index))
        torch.save({"a": Payload(folder.parent / RAN)}, folder / part / "evil.bin")

    return make


for _number, _shard in enumerate(
    ["evil.bin", "../evil.bin", "/etc/passwd", "../../x.safetensors", "sub/x.safetensors",
     "~/x.safetensors", "..\\x.safetensors", "x.pt", ""]
):  # fmt: skip
    _add(f"shard-unet-{_number}", _shards("unet", "diffusion_pytorch_model", _shard, _UNET_WEIGHTS))
    _add(f"shard-text-{_number}", _shards("text_encoder", "model", _shard, "model.safetensors"))
    _variant = _shards("unet", "diffusion_pytorch_model", _shard, _UNET_WEIGHTS, end="fp16.json")
    _add(f"shard-variant-{_number}", _variant)
_UNET_INDEX = "unet/diffusion_pytorch_model.safetensors.index.json"
_add("index-of-numbers", _text(_UNET_INDEX, '{"weight_map": {"a": 7}}'))


def _nested(folder: Path) -> None:
    """A pipeline as a component, whose own weights are a pickle."""
    _json(INDEX, inner=["diffusers", "StableDiffusionPipeline"])(folder)
    inner = folder / "inner" / "unet"
    inner.mkdir(parents=True)
    (folder / "inner" / INDEX).write_text(
        json.dumps({"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DModel"]})
    )
    torch.save({"w": Payload(folder.parent / RAN)}, inner / "diffusion_pytorch_model.bin")


_add("nested", _nested)

# ---- numbers -------------------------------------------------------------------------------------
for _name, _path, _settings in (
    ("layers-per-block", UNET, {"layers_per_block": 10**7}),
    ("layers-list", UNET, {"layers_per_block": [10**7, 1]}),
    ("transformer-layers", UNET, {"transformer_layers_per_block": 10**6}),
    ("channels", UNET, {"block_out_channels": [10**9, 64]}),
    ("cross", UNET, {"cross_attention_dim": 10**12}),
    ("sample-size", UNET, {"sample_size": 10**7}),
    ("float-inf", UNET, {"norm_eps": 1e308 * 10}),
    ("hidden-layers", TEXT, {"num_hidden_layers": 10**6}),
    ("hidden-size", TEXT, {"hidden_size": 10**9}),
    ("vocabulary", TEXT, {"vocab_size": 10**11}),
    ("positions", TEXT, {"max_position_embeddings": 10**10}),
    ("intermediate", TEXT, {"intermediate_size": 10**10}),
    ("vae-layers", VAE, {"layers_per_block": 10**7}),
    ("vae-channels", VAE, {"block_out_channels": [10**8, 16]}),
    ("vae-size", VAE, {"sample_size": 10**9}),
    ("timesteps", SCHEDULER, {"num_train_timesteps": 10**9}),
    ("timesteps-list", SCHEDULER, {"trained_betas": [10**9]}),
    ("digits", UNET, {"in_channels": 10**400}),
):
    _add(f"numbers-{_name}", _json(_path, **_settings))
_add("numbers-depth", _text(UNET, '{"a":' * 5000 + "1" + "}" * 5000))

# ---- files ---------------------------------------------------------------------------------------


def _link(name: str, target: str) -> Maker:
    def make(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return make


_add("link-config", _link(UNET, "/etc/passwd"))
_add("link-tokenizer", _link("tokenizer/vocab.json", "/etc/hostname"))
_add("link-folder", _link("more", "/etc"))
_add("tokenizer-file", _json(TOKENIZER, vocab_file="/etc/passwd"))
_add("tokenizer-file-up", _json(TOKENIZER, tokenizer_file="../../secret.json"))


def _pipe(folder: Path) -> None:
    (folder / UNET).unlink()
    os.mkfifo(folder / UNET)


_add("pipe", _pipe)
_add("large-json", lambda folder: os.truncate(folder / "tokenizer/tokenizer.json", 2**30))
_add("weights-header", _text(f"unet/{_UNET_WEIGHTS}", struct.pack("<Q", 2**60) + b"{}"))


def _lying(folder: Path) -> None:
    content = json.dumps({"w": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4]}}).encode()
    raw = struct.pack("<Q", len(content)) + content + bytes(4)
    (folder / "unet" / _UNET_WEIGHTS).write_bytes(raw)


_add("weights-lie", _lying)


def _empty(folder: Path) -> None:
    save_file({"w": np.zeros(1, np.float32)}, folder / "unet" / _UNET_WEIGHTS)
    _json(UNET, layers_per_block=50, block_out_channels=[32, 64])(folder)


_add("weights-few", _empty)
