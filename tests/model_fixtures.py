"""Tiny pipelines of the classes that people use, random weights, saved in the formats they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from data_fixtures import tiny_tokenizer


def tiny_vae(latents: int = 4, blocks: int = 2, **options: Any):  # type: ignore[no-untyped-def]
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8,) * blocks,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        norm_num_groups=4,
        latent_channels=latents,
        **options,
    )


def tiny_clip(tokenizer: Any, width: int = 32, projected: bool = False):  # type: ignore[no-untyped-def]
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=77, projection_dim=width,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def tiny_pieces(cls: Any):  # type: ignore[no-untyped-def]
    """A tokenizer of the class `cls` that knows letters alone."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import Unigram

    special = ["<pad>", "</s>", "<unk>", "<bos>"]
    pieces = [(one, 0.0) for one in special]
    pieces += [(letter, -1.0) for letter in ("▁", *"abcdefghijklmnopqrstuvwxyz")]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return cls(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        bos_token="<bos>", model_max_length=512,
    )  # fmt: skip


def tiny_t5(width: int = 32):  # type: ignore[no-untyped-def]
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(vocab_size=64, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    )


def save_sdxl(folder: Path) -> Path:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    torch.manual_seed(0)
    tokenizer = tiny_tokenizer(folder.with_name(folder.name + "-vocab"))
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=(2, 4),
        use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=8, transformer_layers_per_block=(1, 1), norm_num_groups=4,
        projection_class_embeddings_input_dim=6 * 8 + 32, cross_attention_dim=64,
    )  # fmt: skip
    StableDiffusionXLPipeline(
        vae=tiny_vae(), unet=unet, scheduler=EulerDiscreteScheduler(),
        text_encoder=tiny_clip(tokenizer), tokenizer=tokenizer,
        text_encoder_2=tiny_clip(tokenizer, projected=True), tokenizer_2=tokenizer,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_sd3(folder: Path) -> Path:
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )
    from transformers import T5TokenizerFast

    torch.manual_seed(0)
    tokenizer = tiny_tokenizer(folder.with_name(folder.name + "-vocab"))
    transformer = SD3Transformer2DModel(
        sample_size=32, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=64, caption_projection_dim=32,
        pooled_projection_dim=64, out_channels=4,
    )  # fmt: skip
    StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=tiny_vae(shift_factor=0.06), text_encoder=tiny_clip(tokenizer, projected=True),
        tokenizer=tokenizer, text_encoder_2=tiny_clip(tokenizer, projected=True),
        tokenizer_2=tokenizer, text_encoder_3=tiny_t5(64), tokenizer_3=tiny_pieces(T5TokenizerFast),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_flux(folder: Path) -> Path:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import T5TokenizerFast

    torch.manual_seed(0)
    tokenizer = tiny_tokenizer(folder.with_name(folder.name + "-vocab"))
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    FluxPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=tiny_vae(latents=1, shift_factor=0.06), text_encoder=tiny_clip(tokenizer),
        tokenizer=tokenizer, text_encoder_2=tiny_t5(), tokenizer_2=tiny_pieces(T5TokenizerFast),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_pixart(folder: Path, sigma: bool = False) -> Path:
    from diffusers import (
        DPMSolverMultistepScheduler,
        PixArtAlphaPipeline,
        PixArtSigmaPipeline,
        PixArtTransformer2DModel,
    )
    from transformers import T5TokenizerFast

    torch.manual_seed(0)
    transformer = PixArtTransformer2DModel(
        sample_size=32, num_layers=1, patch_size=2, attention_head_dim=8, num_attention_heads=3,
        caption_channels=32, in_channels=4, cross_attention_dim=24, out_channels=8,
        norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6,
        attention_bias=True, num_embeds_ada_norm=1000, use_additional_conditions=False,
    )  # fmt: skip
    (PixArtSigmaPipeline if sigma else PixArtAlphaPipeline)(
        transformer=transformer, scheduler=DPMSolverMultistepScheduler(), vae=tiny_vae(blocks=4),
        text_encoder=tiny_t5(), tokenizer=tiny_pieces(T5TokenizerFast),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_sana(folder: Path) -> Path:
    from diffusers import (
        AutoencoderDC,
        FlowMatchEulerDiscreteScheduler,
        SanaPipeline,
        SanaTransformer2DModel,
    )
    from transformers import Gemma2Config, Gemma2Model, GemmaTokenizerFast

    torch.manual_seed(0)
    transformer = SanaTransformer2DModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
        attention_head_dim=4, num_cross_attention_heads=2, cross_attention_head_dim=4,
        cross_attention_dim=8, caption_channels=8, sample_size=16,
    )  # fmt: skip
    blocks = 4
    vae = AutoencoderDC(
        in_channels=3, latent_channels=4, attention_head_dim=2,
        encoder_block_types="ResBlock", decoder_block_types="ResBlock",
        encoder_block_out_channels=(8,) * blocks, decoder_block_out_channels=(8,) * blocks,
        encoder_qkv_multiscales=((),) * blocks, decoder_qkv_multiscales=((),) * blocks,
        encoder_layers_per_block=(1,) * blocks, decoder_layers_per_block=(1,) * blocks,
        downsample_block_type="conv", upsample_block_type="interpolate",
    )  # fmt: skip
    encoder = Gemma2Model(
        Gemma2Config(
            head_dim=4, hidden_size=8, intermediate_size=16, num_attention_heads=2,
            num_hidden_layers=1, num_key_value_heads=2, vocab_size=64, bos_token_id=3,
            eos_token_id=1, pad_token_id=0,
        )
    )  # fmt: skip
    SanaPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae,
        text_encoder=encoder, tokenizer=tiny_pieces(GemmaTokenizerFast),
    ).save_pretrained(folder)  # fmt: skip
    return folder
