"""The two pieces of work that need a GPU: generating a few captions, and encoding a few images.

Whoever evaluates calls `draw` and `encode`, a batch at a time, from a generator that lives on the
CPU. Off ZeroGPU they are plain calls of the models at hand. On ZeroGPU each is a short loan of a
GPU (`zerogpu`): the models wait in the main process, the worker that is forked for the call finds
them there, and only captions, pixels, images and codes travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Union
from weakref import WeakValueDictionary

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.models import KnownModel
from blindspots_hub.generation.settings import GenerationSettings
from blindspots_hub.serving.zerogpu import ON_ZEROGPU, Cost, borrows_gpu
from blindspots_hub.utils.memory import AdaptiveBatch, device_failed

if TYPE_CHECKING:
    import numpy as np

    from blindspots_hub.concepts.codes import SparseCodes
    from blindspots_hub.concepts.space import ConceptSpace
    from blindspots_hub.generation.generate import Outcome, TextToImage

    Encoded = Union[SparseCodes, str]  # noqa: UP007 (evaluated at run time on Python 3.10)

SECONDS_AN_IMAGE = 3.0
"""First guess for a diffusion model at 512×512 with 50 steps on a GPU of ZeroGPU; then measured."""

USUAL = GenerationSettings(height=1024, width=1024, num_inference_steps=50)
"""What a pipeline is taken to do where its settings do not say."""

SECONDS_A_CODE = 0.1
"""First guess for the tokens and codes of one image; then measured."""

ENCODED_AT_ONCE = 32
"""Images that are encoded at once, fewer where the memory does not hold them. Codes are those of
each alone: to the bit on a CPU, where the backbone sees one image at a time even so.
"""

_at_hand: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""Models by key, as long as somebody in this process uses them."""

_in_worker: dict[str, Any] = {}
"""What a ZeroGPU worker has moved to its GPU, by kind of work: the latest of each."""

_fitting: dict[tuple[str, str], AdaptiveBatch] = {}
"""How many images fit each device at once, by concept space."""


def draw(pipeline: TextToImage, pairs: Sequence[tuple[str, str]], seed: int) -> list[Outcome]:
    """`pipeline.generate_batch(pairs, seed)`: (caption, pair id) in, an outcome each out."""
    if not pairs:
        return []
    _at_hand[pipeline.key] = pipeline
    return _draw(pipeline.key, pipeline.model, pipeline.device, list(pairs), seed)


def encode(space: ConceptSpace, pixels: Sequence[np.ndarray]) -> list[Encoded]:
    """Codes of preprocessed images, each float32 (3, crop, crop), or why one has none."""
    if not pixels:
        return []
    key = space.fingerprint
    _at_hand[key] = space
    return _encode(key, list(pixels))


def _draw_cost(
    key: str, model: KnownModel, device: str, pairs: list[tuple[str, str]], seed: int
) -> Cost:
    height, width, num_inference_steps = (
        getattr(model.settings, name) or getattr(USUAL, name)
        for name in ("height", "width", "num_inference_steps")
    )
    return Cost(
        key, len(pairs), SECONDS_AN_IMAGE * height * width / 512**2 * num_inference_steps / 50
    )


@borrows_gpu(_draw_cost)
def _draw(
    key: str, model: KnownModel, device: str, pairs: list[tuple[str, str]], seed: int
) -> list[Outcome]:
    pipeline = _at_hand.get(key)
    if pipeline is None:  # a worker that was forked before this model was loaded, and kept since
        from blindspots_hub.generation.generate import load_pipeline

        pipeline = load_pipeline(model, device)
        if pipeline.key != key:
            raise BlindspotsError(f"{model.title} changed while it was evaluated: run it again.")
        _at_hand[key] = pipeline
    if ON_ZEROGPU:
        _in_worker["draw"] = pipeline
        pipeline.wake()
    return list(pipeline.generate_batch(pairs, seed))


def _encode_cost(key: str, pixels: list[np.ndarray]) -> Cost:
    return Cost(key, len(pixels), SECONDS_A_CODE)


@borrows_gpu(_encode_cost)
def _encode(key: str, pixels: list[np.ndarray]) -> list[Encoded]:
    import torch

    space = _at_hand.get(key)
    if space is None:
        raise BlindspotsError(
            "The GPU's worker was started for other concepts than this evaluation's: restart the "
            "Space, and evaluate with its own bundle."
        )
    if ON_ZEROGPU:
        space = space.to("cuda") if torch.cuda.is_available() else space
        _at_hand[key] = _in_worker["encode"] = space
    device = str(space.backbone.device)
    if (key, device) not in _fitting:
        too_large = (
            f"The memory of {device} does not hold what one image needs to be encoded: close what "
            "else uses it, or choose another device (--device)."
        )
        _fitting[key, device] = AdaptiveBatch(ENCODED_AT_ONCE, too_large)
    try:
        return _fitting[key, device].map(pixels, partial(_codes, space))
    except RuntimeError as error:
        if not device_failed(error):
            raise
        told = (str(error).strip().splitlines() or [""])[0][:300]
        raise BlindspotsError(
            f"{device} has failed while images were encoded ({told}): what is done is kept, run "
            "the same command again to go on from there."
        ) from error


def _codes(space: ConceptSpace, pixels: Sequence[np.ndarray]) -> list[Encoded]:
    """Codes of images at once, or of each by itself where one of them has none."""
    import numpy as np
    import torch

    try:
        return list(space.codes_of_batch(torch.from_numpy(np.stack(pixels))))
    except BlindspotsError as error:
        if len(pixels) == 1:
            return [str(error)]
        return [encoded for image in pixels for encoded in _codes(space, [image])]
