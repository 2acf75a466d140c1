"""Checkpoints in one file, LoRA weights and textual inversions, as people exchange them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

_RESNET = (("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("norm2", "out_layers.0"),
           ("conv2", "out_layers.3"), ("time_emb_proj", "emb_layers.1"),
           ("conv_shortcut", "skip_connection"))  # fmt: skip


def unet_as_ldm(weights: Mapping[str, torch.Tensor], blocks: int = 2, layers: int = 1) -> dict:  # type: ignore[type-arg]
    """A UNet's weights under the names that the original code of Stable Diffusion gave them."""
    renamed = {
        "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
        "mid_block.attentions.0": "middle_block.1", "mid_block.resnets.0": "middle_block.0",
        "mid_block.resnets.1": "middle_block.2", "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
    }  # fmt: skip
    step = layers + 1
    for block in range(blocks):
        for layer in range(layers):
            place = f"input_blocks.{step * block + layer + 1}"
            renamed[f"down_blocks.{block}.resnets.{layer}"] = f"{place}.0"
            renamed[f"down_blocks.{block}.attentions.{layer}"] = f"{place}.1"
        for layer in range(step):
            place = f"output_blocks.{step * block + layer}"
            renamed[f"up_blocks.{block}.resnets.{layer}"] = f"{place}.0"
            renamed[f"up_blocks.{block}.attentions.{layer}"] = f"{place}.1"
        down = f"input_blocks.{step * (block + 1)}.0.op"
        renamed[f"down_blocks.{block}.downsamplers.0.conv"] = down
        after = 2 if any(f"up_blocks.{block}.attentions." in name for name in weights) else 1
        place = f"output_blocks.{step * block + layers}.{after}"
        renamed[f"up_blocks.{block}.upsamplers.0"] = place
    found = {}
    for name, tensor in weights.items():
        start = max((one for one in renamed if name.startswith(one + ".")), key=len)
        rest = name[len(start) :]
        if ".resnets." in name:
            for ours, theirs in _RESNET:
                rest = rest.replace(f".{ours}.", f".{theirs}.")
        found[f"model.diffusion_model.{renamed[start]}{rest}"] = tensor
    return found


def vae_as_ldm(weights: Mapping[str, torch.Tensor], blocks: int = 2) -> dict:  # type: ignore[type-arg]
    renamed = []
    for i in range(blocks):
        renamed += [(f"encoder.down_blocks.{i}.resnets.", f"encoder.down.{i}.block."),
                    (f"encoder.down_blocks.{i}.downsamplers.0.", f"encoder.down.{i}.downsample."),
                    (f"decoder.up_blocks.{i}.resnets.", f"decoder.up.{blocks - 1 - i}.block."),
                    (f"decoder.up_blocks.{i}.upsamplers.0.",
                     f"decoder.up.{blocks - 1 - i}.upsample.")]  # fmt: skip
    for side in ("encoder", "decoder"):
        renamed += [(f"{side}.mid_block.resnets.0.", f"{side}.mid.block_1."),
                    (f"{side}.mid_block.resnets.1.", f"{side}.mid.block_2."),
                    (f"{side}.mid_block.attentions.0.", f"{side}.mid.attn_1."),
                    (f"{side}.conv_norm_out", f"{side}.norm_out")]  # fmt: skip
    inner = (("conv_shortcut", "nin_shortcut"), ("group_norm", "norm"), ("to_q", "q"),
             ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out"))  # fmt: skip
    found = {}
    for name, tensor in weights.items():
        new = name
        for ours, theirs in renamed:
            new = new.replace(ours, theirs)
        for ours, theirs in inner:
            new = new.replace(f".{ours}.", f".{theirs}.")
        if ".attn_1." in new and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
        found[f"first_stage_model.{new}"] = tensor
    return found


def save_checkpoint(folder: Path, path: Path, vae: bool = True, half: bool = False) -> Path:
    """The Stable Diffusion in `folder` as one file of the original layout."""
    weights = "diffusion_pytorch_model.safetensors"
    found = unet_as_ldm(load_file(folder / "unet" / weights))
    if vae:
        found |= vae_as_ldm(load_file(folder / "vae" / weights))
    encoder = load_file(folder / "text_encoder" / "model.safetensors")
    found |= {
        "cond_stage_model.transformer."
        + (name if name.startswith("text_model.") else f"text_model.{name}"): tensor
        for name, tensor in encoder.items()
    }
    if half:
        found = {name: tensor.half() for name, tensor in found.items()}
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, path)
    return path


def save_lora(
    unet: torch.nn.Module, path: Path, rank: int = 2, seed: int = 0,
    metadata: dict[str, object] | None = None,
) -> Path:  # fmt: skip
    """LoRA weights of every attention of a denoiser, as diffusers saves them."""
    torch.manual_seed(seed)
    part = "transformer" if type(unet).__name__.endswith("Transformer2DModel") else "unet"
    found = {}
    for name, module in unet.named_modules():
        if isinstance(module, torch.nn.Linear) and name.rsplit(".", 1)[-1] in ("to_q", "to_v"):
            found[f"{part}.{name}.lora_A.weight"] = torch.randn(rank, module.in_features)
            found[f"{part}.{name}.lora_B.weight"] = torch.randn(module.out_features, rank)
    told = {"format": "pt"}
    if metadata is not None:
        told["lora_adapter_metadata"] = json.dumps(
            {f"{part}.{key}": value for key, value in metadata.items()}
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(found, path, told)
    return path
