"""Captions as COCO keeps them: one JSON file, and a folder of images that it names."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blindspots_hub.data.beside import file_beside
from blindspots_hub.data.sources.rows import LeftOut, Row, SourceOptions
from blindspots_hub.errors import BlindspotsError

MAX_FILE = 1 << 30
"""Bytes of the largest file that is read; COCO's own has 90 MB."""

_LISTS = ("images", "annotations")

_TRIED = 100
"""Images of which one must be in a folder for it to be theirs: some may be missing."""

_BESIDE = (
    *(".", "images", "..", "../images", "../train2017", "../val2017", "../train2014"),
    *("../val2014", "../images/train2017", "../images/val2017"),
)
"""Where the images of a file lie, seen from its folder, in COCO's own layouts."""


def coco_rows(path: Path, options: SourceOptions) -> Iterator[Row | LeftOut]:
    """A row an image that has captions, all of them; images lie in `options.images`, or near.

    Images without a caption and captions without an image are counted. Raises `BlindspotsError`
    where the file is no COCO captions, or no folder has one of its first images.
    """
    content = _read(path)
    images, captions = (_records(content.get(key)) for key in _LISTS)
    if not images or not captions:
        raise BlindspotsError(
            f"{path} is no COCO captions file (lists of images and annotations): give "
            "captions_val2017.json or one like it."
        )
    of_image: dict[str, list[Any]] = defaultdict(list)
    for one in captions:
        if "caption" in one and isinstance(one.get("image_id"), (int, str)):
            of_image[str(one["image_id"])].append(one["caption"])
    if not of_image:
        raise BlindspotsError(
            f"{path} has annotations without captions: give COCO's captions_… file, not its "
            "instances_… file."
        )
    folder = _folder(path, images, options.images)
    without, used = list[str](), set[str]()
    for image in images:
        name, number = image.get("file_name"), image.get("id")
        found = of_image.get(str(number)) if isinstance(number, (int, str)) else None
        if found is None:
            without.append(f"image {number}")
            continue
        if str(number) in used:
            raise BlindspotsError(
                f"{path} has two images of the id {str(number)[:40]}, so that it is not clear "
                "whose a caption is: give each an id of its own."
            )
        used.add(str(number))
        url = image.get("coco_url") or image.get("flickr_url")
        yield Row(
            found,
            file_beside(folder, name) if isinstance(name, str) else None,
            url if isinstance(url, str) and url else None,
            f"{path.name} image {number}",
        )
    if without:
        yield LeftOut("caption_empty", len(without), f"{path.name} {without[0]}")
    if lost := sum(len(found) for number, found in of_image.items() if number not in used):
        yield LeftOut("caption_without_image", lost, path.name)
    if other := sum(not isinstance(o, dict) for k in _LISTS for o in content[k]):
        yield LeftOut("no_record", other, path.name)


def _folder(path: Path, images: list[dict[str, Any]], named: Path | None) -> Path:
    names = [one["file_name"] for one in images if isinstance(one.get("file_name"), str)]
    if named is not None:
        if not named.expanduser().is_dir():
            raise BlindspotsError(f"{named} is no folder: name that of the images with --images.")
        return named.expanduser()
    for beside in _BESIDE:
        folder = path.parent / beside
        if folder.is_dir() and any(file_beside(folder.resolve(), name) for name in names[:_TRIED]):
            return folder.resolve()
    raise BlindspotsError(
        f"The images that {path} names are not near it ({(names or ['none'])[0][:200]} is one): "
        "name their folder with --images."
    )


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_FILE:
        raise BlindspotsError(f"{path} is larger than {MAX_FILE >> 20} MiB: split it.")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BlindspotsError(f"{path} is no JSON ({error}): fetch it again.") from error
    return content if isinstance(content, dict) else {}


def _records(value: object) -> list[dict[str, Any]]:
    """The objects of a list; empty where it is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
