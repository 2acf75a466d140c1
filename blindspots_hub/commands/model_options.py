"""Options of the commands that draw with a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
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
    typer.Option(
        "--quantize",
        help="Keep the denoiser's weights in fewer bits: fp8, torchao_int8, bitsandbytes_8bit or "
        "bitsandbytes_4bit.",
    ),
]
SlicingOption = Annotated[
    bool, typer.Option("--attention-slicing", help="Attention in slices: less memory, slower.")
]
OffloadOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--offload", help="Keep idle parts in main memory: model, or sequential."),
]


_DRAWING: dict[str, tuple[Any, Any]] = {
    "num_inference_steps": (StepsOption, None),
    "guidance_scale": (GuidanceOption, None),
    "size": (SizeOption, None),
    "dtype": (DtypeOption, None),
    "lora": (LoraOption, None),
    "textual_inversion": (InversionOption, None),
    "unet": (UnetOption, None),
    "transformer": (TransformerOption, None),
    "vae": (VaeOption, None),
    "scheduler": (SchedulerOption, None),
    "negative_prompt": (NegativeOption, None),
    "base": (BaseOption, None),
    "variant": (VariantOption, None),
    "vae_tiling": (TilingOption, False),
    "quantize": (QuantizeOption, None),
    "attention_slicing": (SlicingOption, False),
    "offload": (OffloadOption, None),
    "batch_size": (BatchOption, 1),
}
"""Options of whatever draws, with their defaults, in the order in which help shows them."""

_BEFORE = "num_images_per_prompt"
"""The parameter of a command after which they stand."""


def draws(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of drawing, which it takes as `**drawing`, a flow's arguments.

    The flow is `generate`, `evaluate` or `stress_test`. Typer reads a command's signature: that of
    what is returned has the options in the place of `**drawing`.
    """
    own = inspect.signature(command, eval_str=True).parameters
    parameters: list[inspect.Parameter] = []
    for parameter in own.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            parameters.append(parameter)
        if parameter.name == _BEFORE:
            parameters += [
                inspect.Parameter(name, parameter.kind, default=default, annotation=annotation)
                for name, (annotation, default) in _DRAWING.items()
            ]

    @wraps(command)
    def with_options(**given: Any) -> None:
        drawing = {name: given.pop(name) for name in _DRAWING}
        command(**given, **_as_a_flow_takes(**drawing))

    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_options


def _as_a_flow_takes(
    num_inference_steps: int | None,
    guidance_scale: float | None,
    size: int | None,
    dtype: str | None,
    lora: list[str] | None,
    textual_inversion: list[str] | None,
    unet: str | None,
    attention_slicing: bool,
    offload: str | None,
    batch_size: int,
    **more: Any,
) -> dict[str, Any]:
    """The options as arguments of a flow; what is unset is None there."""
    from blindspots_hub.generation.additions import Additions, Lora, Memory

    loras = tuple(map(Lora.parse, lora or ()))
    additions = Additions(loras, tuple(textual_inversion or ()), **more)
    memory = Memory(attention_slicing, offload)  # type: ignore[arg-type]  # it refuses others
    return {
        "num_inference_steps": num_inference_steps,
        "guidance_scale": guidance_scale,
        "height": size,
        "width": size,
        "dtype": dtype,  # GenerationSettings refuses what it does not know
        "unet": unet,
        "additions": additions or None,
        "memory": memory if memory != Memory() else None,
        "batch_size": batch_size,
    }
