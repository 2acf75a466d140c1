"""The images of a folder, and by kind what in it is left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from blindspots_hub.data.images import FORMATS, kind_of
from blindspots_hub.errors import BlindspotsError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | ({".avif"} if "AVIF" in FORMATS else set())
)
"""File name endings, in lower case, that are taken for images unseen; others by their content."""

NO_IMAGES = frozenset(
    {".txt", ".caption", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".md"}
    | {".xml", ".yaml", ".yml", ".html", ".ini", ".db", ".log", ".py", ".lock", ".sha256", ".md5"}
)
"""Endings of what lies beside images and is none: not worth a word."""


@dataclass(frozen=True)
class ImageListing:
    """What a folder holds.

    Attributes:
        folder: the folder.
        images: its images, by name; files directly in it whose format can be read.
        other: how many other files there are, by their ending or "no_ending".
        inside: how many files that look like images lie in folders inside, by the folder's name.
        broken: how many links that are named as images lead to no file, and pipes or devices.
    """

    folder: Path
    images: list[Path]
    other: dict[str, int] = field(default_factory=dict)
    inside: dict[str, int] = field(default_factory=dict)
    broken: int = 0

    @property
    def left_out(self) -> dict[str, int]:
        """Files that are not read, by cause: `other_format_heic`, `in_subfolder`, `broken_link`."""
        causes = {f"other_format_{ending}": count for ending, count in self.other.items()}
        if self.inside:
            causes["in_subfolder"] = sum(self.inside.values())
        if self.broken:
            causes["broken_link"] = self.broken
        return causes

    @property
    def example(self) -> str:
        """The folders inside, in words."""
        names = sorted(self.inside)
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")


def image_listing(folder: Path) -> ImageListing:
    """Look through `folder`; hidden files and folders count for nothing.

    Files are told by their ending, and where that says nothing by their first bytes. Raises
    `BlindspotsError` where `folder` is not a folder or holds no image.
    """
    if not folder.is_dir():
        raise BlindspotsError(f"{folder} is not a folder: give the folder that holds the images.")
    images, other, inside, broken = [], Counter[str](), {}, 0
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if count := sum(1 for _ in _images_below(path)):
                inside[path.name] = count
        elif path.is_file():
            if is_image(path):
                images.append(path)
            elif path.suffix.lower() not in NO_IMAGES:
                other[path.suffix.lower().lstrip(".") or "no_ending"] += 1
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            broken += 1
    found = ImageListing(folder, images, dict(sorted(other.items())), inside, broken)
    if not images:
        raise BlindspotsError(f"{folder} holds no images{_instead(found)}")
    return found


def list_images(folder: Path) -> list[Path]:
    """The images of `image_listing`, whose errors it raises."""
    return image_listing(folder).images


def is_image(path: Path) -> bool:
    """Whether a file is taken for an image that can be read."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    if suffix in NO_IMAGES:
        return False
    try:
        with open(path, "rb") as handle:
            return kind_of(handle.read(32)) in FORMATS
    except OSError:
        return False


def _images_below(folder: Path) -> Iterator[str]:
    """Names of files below `folder` that end as images do; links are not followed."""
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (
            name
            for name in names
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not name.startswith(".")
        )


def _instead(found: ImageListing) -> str:
    if found.broken:
        return f" but {found.broken:,} links that lead nowhere: fetch what they lead to."
    if found.inside:
        count = sum(found.inside.values())
        return (
            f" directly in it, but {count:,} in folders inside ({found.example}): give one of "
            "those, or put their files into one folder."
        )
    if found.other:
        kinds = ", ".join(f"{count:,} {ending}" for ending, count in found.other.items())
        return f" that can be read, but other files ({kinds}): save them as JPEG or PNG."
    return f": put files ending in {', '.join(sorted(IMAGE_SUFFIXES))} directly in it."
