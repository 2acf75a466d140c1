"""Images from captions: one seed an image, so that neither batch nor order changes a picture."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Union

from PIL import Image

from blindspots_hub.data.identity import pair_seed
from blindspots_hub.data.images import bare, is_blank
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.models import KnownModel
from blindspots_hub.generation.pipelines import LoadedPipeline, load
from blindspots_hub.generation.settings import GenerationSettings
from blindspots_hub.generation.text_to_image import call_options
from blindspots_hub.utils.files import fingerprint, public_name
from blindspots_hub.utils.memory import out_of_memory, release

__all__ = [
    "Failed",
    "Generated",
    "GenerationSettings",
    "Outcome",
    "TextToImage",
    "load_pipeline",
    "pick_device",
]

Flag = Literal["blank", "caption_truncated"]
"""`blank`: all one colour, or blacked out by the pipeline's safety checker. `caption_truncated`: a
text encoder of the pipeline did not read the end of the caption."""

FailureCause = Literal["out_of_memory", "pipeline_error", "no_image"]
"""Why a caption has no image."""


@dataclass(frozen=True)
class Generated:
    """An image (RGB), the seed it was drawn with, and what is to be known about it."""

    image: Image.Image
    seed: int
    flags: tuple[Flag, ...]
    unsafe: bool = False
    """Whether the pipeline's safety checker blacked it out."""


@dataclass(frozen=True)
class Failed:
    """No image: the cause to count by, and a sentence about this one.

    It says nothing about the caption: another run may draw it.
    """

    cause: FailureCause
    reason: str


Outcome = Union[Generated, Failed]  # noqa: UP007 (evaluated at run time on Python 3.10)
"""What became of one caption."""


def load_pipeline(model: KnownModel, device: str, rests_on: str | None = None) -> TextToImage:
    """Load a text-to-image pipeline for `device` ("cpu", "cuda", "cuda:1", "mps").

    Its weights are put there, or where `rests_on` says until `wake` is called.

    A folder never asks the Hub; a Hub id is looked for in the cache first. Only safetensors are
    read and no code of the pipeline is run. The number format is the settings', else on CUDA that
    of the weights and elsewhere float32; weights of the variant fp16 are taken where there are no
    others.

    Raises `BlindspotsError` where `model` is no diffusers folder, no text-to-image pipeline, of a
    class that is not known, has pickled weights or code of its own, does not take its settings,
    or is not cached while no Hub answers (told within some 2 s).
    """
    return TextToImage(model, load(model, device, rests_on or device), device)


def pick_device(requested: str | None = None) -> str:
    """The device to run on: the one requested, or the best there is (CUDA, then MPS, then CPU).

    Raises `BlindspotsError` where the one requested is unknown or not on this machine.
    """
    import torch

    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if requested is None:
        return available[0]
    if requested not in available:
        raise BlindspotsError(
            f"The device {requested!r} is not on this machine: use one of {', '.join(available)}, "
            "or leave the choice to the program."
        )
    return requested


class TextToImage:
    """A loaded pipeline that draws an image for a caption, repeatably.

    Every image has a generator of its own on the CPU, seeded from its pair id: batch, order and
    device count do not change which noise it starts from.
    """

    def __init__(self, model: KnownModel, loaded: LoadedPipeline, device: str) -> None:
        self.model = model
        self.device = device
        self._loaded = loaded
        self._pipe = loaded.pipe
        self._limits = _token_limits(loaded.pipe)
        self._largest_batch: int | None = None

    @property
    def key(self) -> str:
        """What tells loaded pipelines apart: source, revision, what was put in, settings."""
        loaded = self._loaded
        return fingerprint(
            {
                "source": self.model.source,
                "revisions": [loaded.revision, loaded.unet_revision, loaded.joined],
                "settings": asdict(self.model.settings),
                "additions": self.model.additions.to_json(),
                "memory": asdict(self.model.memory),
            }
        )

    @property
    def dtype(self) -> str:
        """The number format that it runs in."""
        return self._loaded.dtype

    @property
    def note(self) -> str:
        """What is to be told of how it was loaded; mostly ""."""
        return self._loaded.note

    def wake(self) -> None:
        """Bring the weights to the device; they are there already unless they rested elsewhere."""
        if self.model.memory.offload is None:
            self._pipe.to(self.device)

    def generate(self, caption: str, pair_id: str, seed: int) -> Outcome:
        """Draw one caption of the pair `pair_id` in a run with `seed`."""
        return self.generate_batch([(caption, pair_id)], seed)[0]

    def generate_batch(self, pairs: Sequence[tuple[str, str]], seed: int) -> list[Outcome]:
        """Draw (caption, pair id) pairs at once; one outcome each, in their order.

        Where memory runs out the batch is halved, and later batches start at the size that
        fitted; where anything else fails, the captions are drawn one by one so that only the
        guilty one fails. An error that leaves the CUDA device unusable is a `BlindspotsError`.
        """
        pairs = list(pairs)
        outcomes: list[Outcome] = []
        while len(outcomes) < len(pairs):
            size = min(len(pairs) - len(outcomes), self._largest_batch or len(pairs))
            part = pairs[len(outcomes) : len(outcomes) + size]
            result = self._attempt(part, seed)
            if isinstance(result, list):
                outcomes += result
            elif size == 1:
                outcomes.append(result)
            elif result.cause == "out_of_memory":
                self._largest_batch = size // 2
            else:
                for pair in part:
                    alone = self._attempt([pair], seed)
                    outcomes += alone if isinstance(alone, list) else [alone]
        return outcomes

    def describe(self) -> dict[str, Any]:
        """What a manifest records, JSON-able: enough to draw the same images again."""
        from importlib.metadata import version

        scheduler = getattr(self._pipe, "scheduler", None)
        added = self.model.additions.to_json()
        return {
            **({"additions": added} if added else {}),
            "name": self.model.name,
            "title": self.model.title,
            "source": public_name(self.model.source),
            "revision": self._loaded.revision,
            "pipeline_class": type(self._pipe).__name__,
            "scheduler": None if scheduler is None else type(scheduler).__name__,
            "unet": None if self.model.unet is None else public_name(self.model.unet),
            "unet_revision": self._loaded.unet_revision,
            "joined": self._loaded.joined,
            "variant_of": self.model.variant_of,
            "licence": self.model.licence,
            "settings": {**asdict(self.model.settings), "dtype": self._loaded.dtype},
            "device": self.device.partition(":")[0],
            "versions": {name: version(name) for name in ("diffusers", "torch", "transformers")},
        }

    def _attempt(self, pairs: list[tuple[str, str]], seed: int) -> list[Outcome] | Failed:
        """Draw `pairs` in one call of the pipeline, or tell why that failed."""
        import torch

        seeds = [pair_seed(name, seed) for _, name in pairs]
        generators = [torch.Generator("cpu").manual_seed(value) for value in seeds]
        try:
            with torch.inference_mode():
                output = self._pipe(
                    prompt=[caption for caption, _ in pairs],
                    generator=generators,
                    **call_options(self.model.settings),
                    **self._negative(len(pairs)),
                )
        except Exception as error:  # whatever a pipeline raises is about these captions
            if _is_fatal(error):
                raise BlindspotsError(
                    f"{self.device} has failed ({_first_line(error)}): what is drawn is kept, run "
                    "the same command again to go on from there."
                ) from error
            return _failure(error)
        images = getattr(output, "images", None)
        if images is None or len(images) != len(pairs):
            return Failed("no_image", f"{type(self._pipe).__name__} returned no image a caption.")
        unsafe = getattr(output, "nsfw_content_detected", None) or [False] * len(pairs)
        return [
            self._generated(image, value, caption, bool(blanked))
            for image, value, (caption, _), blanked in zip(
                images, seeds, pairs, unsafe, strict=True
            )
        ]

    def _negative(self, count: int) -> dict[str, list[str]]:
        """The negative prompt, once a caption."""
        text = self.model.additions.negative_prompt
        return {} if text is None else {"negative_prompt": [text] * count}

    def _generated(self, image: Any, seed: int, caption: str, blanked: bool) -> Outcome:
        if not isinstance(image, Image.Image):
            return Failed("no_image", f"The pipeline returned a {type(image).__name__}, no image.")
        image = bare(image)
        flags: list[Flag] = []
        if blanked or is_blank(image):
            flags.append("blank")
        if any(
            len(tokenizer(caption, verbose=False).input_ids) > limit
            for tokenizer, limit in self._limits
        ):
            flags.append("caption_truncated")
        return Generated(image, seed, tuple(flags), blanked)


def _token_limits(pipe: Any) -> list[tuple[Any, int]]:
    """Each tokenizer of a pipeline with the number of tokens that its text encoder reads."""
    from transformers import PreTrainedTokenizerBase

    longest = inspect.signature(type(pipe).__call__).parameters.get("max_sequence_length")
    limits = []
    for part in pipe.components.values():
        if isinstance(part, PreTrainedTokenizerBase):
            limit = part.model_max_length
            # Pipelines cut T5's captions, not CLIP's, at their own max_sequence_length.
            clip = type(part).__name__.startswith("CLIP")
            if longest is not None and isinstance(longest.default, int) and not clip:
                limit = min(limit, longest.default)
            limits.append((part, limit))
    return limits


def _failure(error: Exception) -> Failed:
    if out_of_memory(error):
        release(error)
        return Failed("out_of_memory", "The device's memory does not hold one image at this size.")
    return Failed("pipeline_error", f"{type(error).__name__}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]


def _is_fatal(error: Exception) -> bool:
    """After a CUDA error other than lack of memory every later call fails too."""
    text = str(error)
    return isinstance(error, RuntimeError) and "CUDA error" in text and "out of memory" not in text
