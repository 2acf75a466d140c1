"""From an image to the pixels that the backbone reads: resize, centre crop, normalise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from blindspots_hub.errors import BlindspotsError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Short side to `shortest_edge` px, centre crop of `crop` px, (x · rescale − mean) / std.

    The same numbers, to the bit, as transformers' `BitImageProcessorPil`, which is what DINOv2's
    `preprocessor_config.json` names. The defaults are the paper's (section 4). `resample` is
    Pillow's code of the filter (3 = bicubic).
    """

    shortest_edge: int = 256
    crop: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    resample: int = int(Image.Resampling.BICUBIC)
    rescale: float = 1 / 255

    def __post_init__(self) -> None:
        if not 0 < self.crop <= self.shortest_edge:
            raise BlindspotsError(
                f"Preprocessing crops {self.crop} px out of a short side of {self.shortest_edge} "
                "px: choose a crop that is no larger than the short side."
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Preprocessing:
        """Read a transformers `preprocessor_config.json` of type BitImageProcessor.

        Raises `BlindspotsError` where it asks for anything else than resize the short side, square
        centre crop, rescale, normalise: pixels that are made otherwise give other concepts.
        """
        for step in ("do_resize", "do_center_crop", "do_rescale", "do_normalize"):
            if not config.get(step, True):
                raise _refused(f"switches {step} off")
        size = config.get("size")
        if isinstance(size, int):  # as transformers wrote it before 4.26
            size = {"shortest_edge": size}
        if not isinstance(size, dict) or set(size) != {"shortest_edge"}:
            raise _refused(f"has size {size!r} instead of a shortest_edge")
        crop = config.get("crop_size")
        if isinstance(crop, int):
            crop = {"height": crop, "width": crop}
        if not isinstance(crop, dict) or "height" not in crop or "width" not in crop:
            raise _refused(f"has crop_size {crop!r} instead of a height and a width")
        if crop["height"] != crop["width"]:
            raise _refused(f"crops {crop['height']}×{crop['width']} px instead of a square")
        try:
            return cls(
                shortest_edge=int(size["shortest_edge"]),
                crop=int(crop["height"]),
                mean=_three(config["image_mean"]),
                std=_three(config["image_std"]),
                resample=int(Image.Resampling(config.get("resample", cls.resample))),
                rescale=float(config.get("rescale_factor", cls.rescale)),
            )
        except KeyError as missing:
            raise _refused(f"lacks {missing}") from None
        except (TypeError, ValueError) as error:
            raise _refused(f"holds a value that is no number in its place ({error})") from None

    def to_config(self) -> dict[str, Any]:
        """The same as a transformers `preprocessor_config.json`."""
        return {
            "image_processor_type": "BitImageProcessor",
            "do_convert_rgb": True,
            "do_resize": True,
            "size": {"shortest_edge": self.shortest_edge},
            "resample": self.resample,
            "do_center_crop": True,
            "crop_size": {"height": self.crop, "width": self.crop},
            "do_rescale": True,
            "rescale_factor": self.rescale,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
        }

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """Pixels of `image` (any mode; converted to RGB): float32 (3, crop, crop)."""
        cropped = self._resize_and_crop(image if image.mode == "RGB" else image.convert("RGB"))
        channels = np.asarray(cropped)
        return torch.from_numpy(
            np.stack([self._normalised[c][channels[:, :, c]] for c in range(3)])
        )

    @cached_property
    def _normalised(self) -> NDArray[np.float32]:
        """What each of the 256 byte values becomes in each channel, (3, 256).

        In the reference's order of roundings: the scaled byte is rounded to float32 first, mean and
        std too, and only then subtracted and divided.
        """
        scaled = (np.arange(256) * self.rescale).astype(np.float32)
        mean = np.array(self.mean, dtype=np.float32)[:, None]
        std = np.array(self.std, dtype=np.float32)[:, None]
        return (scaled - mean) / std

    def _resize_and_crop(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        short = min(width, height)
        new_width = int(self.shortest_edge * width / short)
        new_height = int(self.shortest_edge * height / short)
        left, top = (new_width - self.crop) // 2, (new_height - self.crop) // 2
        if _dyadic(width, new_width) and _dyadic(height, new_height):
            # Every number below is exact in binary, so resizing just the crop's part of the image
            # gives the very bytes that cropping the resized image gives, in less time.
            across, down = width / new_width, height / new_height
            box = (
                left * across,
                top * down,
                (left + self.crop) * across,
                (top + self.crop) * down,
            )
            return image.resize((self.crop, self.crop), self.resample, box=box)
        resized = image.resize((new_width, new_height), self.resample)
        return resized.crop((left, top, left + self.crop, top + self.crop))


def _dyadic(size: int, new_size: int) -> bool:
    """Whether size / new_size is a multiple of 1/256, so that Pillow's float32 box holds it."""
    return size < 1 << 16 and (size << 8) % new_size == 0


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _refused(what: str) -> BlindspotsError:
    return BlindspotsError(
        f"preprocessor_config.json {what}: give a model whose images are resized by their short "
        "side, cropped to a square and normalised, as DINOv2's are."
    )
