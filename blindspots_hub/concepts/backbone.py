"""The DINOv2 that turns an image into tokens, any width, with registers or without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.concepts.one_image import for_one_image
from blindspots_hub.concepts.preprocess import Preprocessing
from blindspots_hub.concepts.source import model_folder, open_safetensors
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint, read_json, sha256_file
from blindspots_hub.utils.side_by_side import side_by_side

__all__ = ["Backbone", "TokenLayout"]

_WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_PREPROCESSING = "preprocessor_config.json"
_MODEL_TYPES = ("dinov2", "dinov2_with_registers")


@dataclass(frozen=True, eq=False)
class Backbone:
    """A DINOv2 in fp32 and eval mode, with the preprocessing it was published with.

    `source` and `revision` are what it was loaded by; `fingerprint` is the sha256 over weights,
    configuration and preprocessing, the same wherever the files lie.
    """

    network: torch.nn.Module
    preprocessing: Preprocessing
    layout: TokenLayout
    width: int
    source: str
    revision: str | None
    fingerprint: str
    device: torch.device

    @classmethod
    def load(
        cls,
        source: str | Path,
        revision: str | None = None,
        device: str | torch.device = "cpu",
    ) -> Backbone:
        """Load a transformers DINOv2 from a folder or, by its id, from the Hub.

        The files are config.json, model.safetensors (any float type; computed in fp32) and
        preprocessor_config.json. Raises `BlindspotsError` for a missing or damaged file, another
        type of model, weights that do not fit their configuration, and where the Hub is needed and
        cannot be reached.
        """
        needed = (_CONFIG, _PREPROCESSING, _WEIGHTS)
        folder = model_folder(source, revision, needed=needed, allow=needed)
        config = read_json(folder / _CONFIG)
        if config.get("model_type") not in _MODEL_TYPES:
            raise BlindspotsError(
                f"{source} is a model of type {config.get('model_type')!r}: give a DINOv2 "
                f"({' or '.join(_MODEL_TYPES)}), whose tokens this project's concepts are made of."
            )
        preprocessing = Preprocessing.from_config(read_json(folder / _PREPROCESSING))
        network = _network(folder, str(source), config["model_type"])
        identity = {
            "weights": sha256_file(folder / _WEIGHTS),
            "config": config,
            "preprocessing": preprocessing.to_config(),
        }
        return cls(
            network=network.to(device),
            preprocessing=preprocessing,
            layout=_layout(network.config, preprocessing.crop),
            width=int(network.config.hidden_size),
            source=str(source),
            revision=revision,
            fingerprint=fingerprint(identity),
            device=torch.device(device),
        )

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """Pixels of one image as this backbone reads them: float32 (3, crop, crop)."""
        return self.preprocessing(image)

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """Tokens (B, T, d), float32, after the final LayerNorm, of `pixels` (B, 3, crop, crop).

        On CUDA the batch runs at once, in full fp32 (TF32 off). Elsewhere the network sees one
        image at a time, on a CPU a core each: matrix products round differently for different batch
        sizes and numbers of threads, and a result must not depend on what an image was batched
        with.
        """
        crop = self.preprocessing.crop
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, crop, crop):
            raise ValueError(
                f"pixels of shape (B, 3, {crop}, {crop}) are needed, not {tuple(pixels.shape)}"
            )
        pixels = pixels.to(self.device, torch.float32)
        if self.device.type == "cuda":
            with _full_fp32():
                return self._forward(self.network, pixels)
        if len(pixels) == 0:
            return torch.empty(0, self.layout.tokens, self.width)
        images = pixels.split(1)
        if self.device.type == "cpu":
            forward = partial(self._forward, self._for_one_image)
            return torch.cat(side_by_side(forward, images, alone=True))
        return torch.cat([self._forward(self.network, image) for image in images])

    @cached_property
    def _for_one_image(self) -> torch.nn.Module:
        return for_one_image(self.network, self.layout, self.preprocessing.crop)

    @torch.no_grad()
    def _forward(self, network: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        tokens: torch.Tensor = network(pixel_values=pixels).last_hidden_state
        if tokens.shape[1:] != (self.layout.tokens, self.width):
            raise RuntimeError(f"{self.layout} does not describe tokens {tuple(tokens.shape)}")
        return tokens


def _network(folder: Path, source: str, model_type: str) -> Any:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import Dinov2Model, Dinov2WithRegistersModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # our own events tell what is going on
    with open_safetensors(folder / _WEIGHTS) as tensors:
        tensors.keys()  # a damaged file is told here, in one sentence
    model_class = Dinov2Model if model_type == "dinov2" else Dinov2WithRegistersModel
    try:
        network, report = model_class.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (RuntimeError, ValueError, TypeError, StrictDataclassError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise BlindspotsError(
            f"The weights of {source} do not fit its config.json ({first_line}): fetch both again."
        ) from error
    if report["missing_keys"]:
        # transformers would run such a model with random numbers in the gaps
        raise BlindspotsError(
            f"The weights of {source} lack {sorted(report['missing_keys'])[0]} and "
            f"{len(report['missing_keys']) - 1} other tensors: fetch them again."
        )
    return network.eval().requires_grad_(False)


def _layout(config: Any, crop: int) -> TokenLayout:
    """The layout that a DINOv2 of this configuration gives images of `crop` px."""
    patch = config.patch_size
    height, width = (patch, patch) if isinstance(patch, int) else patch
    return TokenLayout(
        cls=1,
        registers=getattr(config, "num_register_tokens", 0),
        grid=(crop // height, crop // width),
    )


@contextmanager
def _full_fp32() -> Iterator[None]:
    """Matrix products and convolutions on CUDA without TF32, and as they were afterwards."""
    matmul, conv = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, conv.allow_tf32
    matmul.allow_tf32, conv.allow_tf32 = False, False
    try:
        yield
    finally:
        matmul.allow_tf32, conv.allow_tf32 = before
