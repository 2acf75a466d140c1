"""Whether a class of pipelines draws an image from a caption alone, and with which arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.settings import GenerationSettings

# Parameters of __call__ that tell pipelines of other media and other tasks apart.
_OTHER_MEDIA = frozenset(
    {"num_frames", "video_length", "audio_length_in_s", "audio_end_in_s", "frame_size"}
)
_NOTHING: Mapping[str, Any] = {}
_IMAGE_INPUTS = ("image", "mask_image", "control_image")


def check_text_to_image(
    cls: type, source: str, settings: GenerationSettings, more: Mapping[str, Any] = _NOTHING
) -> None:
    """Raise `BlindspotsError` where pipelines of `cls` do not draw an image from a caption alone.

    They must take `prompt` and `generator` (or no result could be repeated), need nothing else,
    and take what `settings` and `more` (further arguments) ask for.
    """
    parameters = inspect.signature(cls.__call__).parameters
    needed = [
        name
        for name, parameter in list(parameters.items())[1:]
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    images = [name for name in _IMAGE_INPUTS if name in parameters and not _optional(cls, name)]
    reason = None
    if "prompt" not in parameters:
        reason = "takes no caption"
    elif images:
        reason = f"wants an image to start from ({', '.join(images)})"
    elif others := [name for name in needed if name != "prompt"]:
        reason = f"needs more than a caption ({', '.join(others)})"
    elif _OTHER_MEDIA & set(parameters):
        reason = "makes video or sound"
    if reason is not None:
        raise BlindspotsError(
            f"{source} is a {cls.__name__}, which {reason}: give a text-to-image pipeline."
        )
    if "generator" not in parameters:
        raise BlindspotsError(
            f"{source} is a {cls.__name__}, which takes no generator, so that its images could "
            "never be drawn again: give a pipeline whose __call__ has `generator`."
        )
    for setting, value in {**call_options(settings), **more}.items():
        if setting not in parameters:
            raise BlindspotsError(
                f"{source} is a {cls.__name__}, which takes no {setting}: leave {setting} "
                f"({value}) unset for this model."
            )


def call_options(settings: GenerationSettings) -> dict[str, int | float]:
    """The settings that are set, under the names that diffusers' pipelines give them."""
    options = {
        "height": settings.height,
        "width": settings.width,
        "num_inference_steps": settings.num_inference_steps,
        "guidance_scale": settings.guidance_scale,
    }
    return {name: value for name, value in options.items() if value is not None}


def _optional(cls: type, name: str) -> bool:
    """Whether diffusers lists `cls` as text-to-image although it can take an image as well."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    return (
        name == "image"
        and cls in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()
        and "controlnet" not in inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    )
