"""What every source of pairs gives, and how one is told which of its columns are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots_hub.data.column_names import listed, only_one
from blindspots_hub.data.text_tables import column_of
from blindspots_hub.errors import BlindspotsError

CAPTION_COLUMNS = ("caption", "text", "prompt")
"""Columns that may hold the caption; the first one present does (upper or lower case)."""

IMAGE_COLUMNS = ("image", "file_name", "image_path")
"""Columns that may hold the image: bytes, datasets' Image struct, or a path beside the table."""


@dataclass(frozen=True)
class Row:
    """A caption and its image as they were found, neither of them checked.

    `caption` is a list where the image has several. `image` is the file's content, its path, or
    None where there is none that may be read; `where` is the row's place, for sentences.
    """

    caption: object
    image: bytes | Path | None
    url: str | None = None
    where: str = ""


@dataclass(frozen=True)
class LeftOut:
    """What of a source never became a row: how much, its cause, and an example's name."""

    cause: str
    count: int
    example: str = ""


@dataclass(frozen=True)
class SourceOptions:
    """What a source is to be read by, where it does not say so itself.

    Attributes:
        image_column: column of the images.
        caption_column: column of the captions, or key of a JSON beside an image; "a.b" is the
            field b of a, which may be a list.
        split: of a Hub data set; train, else its first, unless named.
        config: of a Hub data set that has several.
        images: folder of the images that a COCO file of captions names.
        ignore_robots_txt: whether images of a table of addresses are fetched that their hosts
            forbid to programs.
    """

    image_column: str | None = None
    caption_column: str | None = None
    split: str | None = None
    config: str | None = None
    images: Path | None = None
    ignore_robots_txt: bool = False

    @property
    def captions(self) -> tuple[str, ...]:
        """Names of columns that may hold the captions."""
        return (self.caption_column,) if self.caption_column else CAPTION_COLUMNS

    @property
    def pictures(self) -> tuple[str, ...]:
        """Names of columns that may hold the images."""
        return (self.image_column,) if self.image_column else IMAGE_COLUMNS


class OnlyAddresses(BlindspotsError):
    """A table has addresses of images in the place of images."""


def columns_for(columns: list[str], options: SourceOptions, where: str) -> tuple[str, str]:
    """The columns of captions and images, as they are spelt; `BlindspotsError` where one lacks.

    `OnlyAddresses` where there is a column of addresses in the place of one of images. Of a
    nested column only the first name must be there.
    """
    found = []
    for what, names in (("captions", options.captions), ("images", options.pictures)):
        whole = column_of(columns, tuple(one.lower() for one in names))
        name = whole or column_of(columns, tuple(one.partition(".")[0].lower() for one in names))
        addresses = what == "images" and not options.image_column
        if name is None and addresses and column_of(columns, ("url", "image_url")):
            raise OnlyAddresses(
                f"{where} has addresses of images and no images: fetch them first, with "
                f"sample-laion --from {where}."
            )
        if name is None:
            either = " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
            raise BlindspotsError(
                f"{where} has no column {either} (it has {listed(columns)}): rename "
                f"the column that holds the {what}, or name it with --{what.rstrip('s')}-column."
            )
        only_one(columns, name, where)
        rest = names[0].partition(".")[2] if len(names) == 1 and whole is None else ""
        found.append(f"{name}.{rest}" if rest else name)
    return found[0], found[1]


def cell(record: Mapping[str, Any], column: str) -> Any:
    """A cell by its column's name; of "a.b" the field b of a, for each where a is a list."""
    if column in record:
        return record[column]
    name, _, rest = column.partition(".")
    value = record.get(name)
    for part in filter(None, rest.split(".")):
        if isinstance(value, list):
            value = [one.get(part) for one in value if isinstance(one, Mapping)]
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value
