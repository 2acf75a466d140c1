"""Options of the commands that draw with a model."""

from __future__ import annotations

from typing import Annotated, Any, Optional

import typer

MODEL = (
    "planted/NAME, a known name such as sd15, a diffusers folder, a .safetensors checkpoint, or "
    "org/name[@rev]."
)

SOURCES = (
    "a bundle, a folder of captioned images or a zip of one, a table (of addresses too), a "
    "webdataset's tar, COCO's captions, a Hub dataset."
)
"""What captions and natural images are read from."""

SeedOption = Annotated[int, typer.Option(help="Chooses the captions and each image's noise.")]
PairsFromOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--pairs-from", help=f"Captions and natural images from elsewhere: {SOURCES}"),
]
SeedsOption = Annotated[
    int,
    typer.Option(
        "--num-images-per-prompt",
        "--seeds",
        min=1,
        help="How many times each caption is drawn: tells the sampler's noise from the model.",
    ),
]
StepsOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        "--num-inference-steps", "--steps", help="Denoising steps, instead of the pipeline's own."
    ),
]
GuidanceOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--guidance-scale",
        "--guidance",
        help="Classifier-free guidance scale, instead of the pipeline's own.",
    ),
]
SizeOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(help="Side of the images in pixels, instead of the model's usual one."),
]
DtypeOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        help="float32, float16 or bfloat16. Default: on CUDA the weights' own, elsewhere float32."
    ),
]
AllCaptionsOption = Annotated[
    bool,
    typer.Option(
        "--all-captions",
        help="Of images with a list of captions take every one, instead of one chosen by --seed.",
    ),
]
BatchOption = Annotated[
    int, typer.Option("--batch-size", "--batch", min=1, help="Captions drawn at once, on a GPU.")
]


LoraOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--lora", help="LoRA weights: PATH_OR_ID[@weight]; as often as you like."),
]
InversionOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--textual-inversion", help="A .safetensors file or Hub id; several are allowed."),
]
UnetOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--unet", help="Another UNet: a folder or Hub id."),
]
TransformerOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--transformer", help="Another transformer: a folder or Hub id."),
]
VaeOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--vae", help="Another VAE: a folder or Hub id."),
]
SchedulerOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--scheduler", help="One of diffusers' schedulers, such as DPMSolverMultistep."),
]
NegativeOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--negative-prompt", help="What images are guided away from."),
]
BaseOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--base",
        help="Whose configuration a .safetensors checkpoint is read by: a diffusers folder or Hub "
        "id. Default: what diffusers takes it for.",
    ),
]
VariantOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--variant", help="Variant of the weights, such as fp16."),
]
TilingOption = Annotated[
    bool, typer.Option("--vae-tiling", help="Decode large images in tiles: less memory.")
]
QuantizeOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--quantize", help="fp8: keep the denoiser's weights as 8-bit floats."),
]
SlicingOption = Annotated[
    bool, typer.Option("--attention-slicing", help="Attention in slices: less memory, slower.")
]
OffloadOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--offload", help="Keep idle parts in main memory: model, or sequential."),
]


def model_changes(
    lora: list[str] | None,
    textual_inversion: list[str] | None,
    offload: str | None,
    attention_slicing: bool,
    **more: Any,
) -> dict[str, Any]:
    """These options as `generate` and `evaluate` take them; None where all are unset."""
    from blindspots_hub.generation.additions import Additions, Lora, Memory

    loras = tuple(map(Lora.parse, lora or ()))
    additions = Additions(loras, tuple(textual_inversion or ()), **more)
    memory = Memory(attention_slicing, offload)  # type: ignore[arg-type]  # it refuses others
    return {"additions": additions or None, "memory": memory if memory != Memory() else None}
