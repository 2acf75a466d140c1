"""Which images a store of generations holds, and how each of them was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from PIL import Image

from blindspots_hub.data.identity import generation_id
from blindspots_hub.data.images import encode_png, encode_webp
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint

FORMAT = 1
"""Of a store's files; part of its identity, so that no file of another one is ever read."""


@dataclass(frozen=True)
class Encoding:
    """The file that an image becomes: a lossless PNG, or a WebP of `quality` 1 to 100."""

    quality: int | None = None

    def __post_init__(self) -> None:
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise BlindspotsError(
                f"The quality {self.quality} is out of range: use 1 to 100, or leave it out for "
                "lossless files."
            )

    @property
    def suffix(self) -> str:
        """The file's ending, without the dot."""
        return "png" if self.quality is None else "webp"

    def __call__(self, image: Image.Image) -> bytes:
        """The file of an RGB image, the same bytes for the same pixels."""
        if self.quality is None:
            return encode_png(image)
        return encode_webp(image, lossless=False, quality=self.quality)

    def to_json(self) -> dict[str, Any]:
        """As records hold it."""
        return {"format": self.suffix, "quality": self.quality}


@dataclass(frozen=True)
class Plan:
    """The images that a store is to hold.

    Attributes:
        how: what an image depends on besides its caption (model, revision, settings, seed).
        captions: caption by pair id, in the order of the shards.
        num_images_per_prompt: images a caption.
        encoding: the files they become.
        pairs_a_shard: captions whose images lie in one shard.
    """

    how: Mapping[str, Any]
    captions: Mapping[str, str]
    num_images_per_prompt: int = 1
    encoding: Encoding = field(default_factory=Encoding)
    pairs_a_shard: int = field(kw_only=True)

    @cached_property
    def identity(self) -> str:
        """Hex sha256 of how images are made: two stores of one identity hold the same images."""
        return fingerprint(
            {"format": FORMAT, "how": dict(self.how), "encoding": self.encoding.to_json()}
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 of everything that the shards depend on."""
        captions = list(self.captions.items())
        return fingerprint(
            [self.identity, captions, self.num_images_per_prompt, self.pairs_a_shard]
        )

    @cached_property
    def names(self) -> dict[str, tuple[str, int]]:
        """Pair id and number of every image, by its name; by pair, then by number."""
        return {
            generation_id(pair_id, number): (pair_id, number)
            for pair_id in self.captions
            for number in range(self.num_images_per_prompt)
        }

    @cached_property
    def shards(self) -> list[list[str]]:
        """Names of the images in every shard."""
        names, step = list(self.names), self.pairs_a_shard * self.num_images_per_prompt
        return [names[start : start + step] for start in range(0, len(names), step)]

    @cached_property
    def shard_of(self) -> dict[str, int]:
        """Number of the shard that each image lies in."""
        return {name: shard for shard, names in enumerate(self.shards) for name in names}

    def file_of(self, shard: int) -> str:
        """Name of a shard's file."""
        return f"{shard:05d}-of-{len(self.shards):05d}.parquet"

    def differences(self, how: Mapping[str, Any], encoding: Mapping[str, Any]) -> list[str]:
        """What is made another way by `how` and `encoding`, as records hold them: in words."""
        mine = {**dict(self.how), "file format": self.encoding.to_json()}
        theirs = {**how, "file format": encoding}
        named = {"source": "model"}
        # By fingerprint, because a record has lists where a plan has tuples.
        return [
            named.get(key, key)
            for key in sorted({*mine, *theirs})
            if fingerprint(mine.get(key)) != fingerprint(theirs.get(key))
        ]
