"""Options of the commands that read pairs from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from blindspots_hub.data.sources.rows import SourceOptions

ImageColumnOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--image-column", help="Column of the images in --pairs-from."),
]
CaptionColumnOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--caption-column",
        help="Column of the captions in --pairs-from; a.b is the field b of a.",
    ),
]
SplitOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--split", help="Split of a Hub dataset. Default: train, else the first."),
]
ConfigOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--config", help="Configuration of a Hub dataset that has several."),
]
ImagesOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--images", help="Folder of the images that a COCO captions file names."),
]
SkippedOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--skipped", help="CSV file that lists every row of --pairs-from left out."),
]
IgnoreRobotsOption = Annotated[
    bool,
    typer.Option(
        "--ignore-robots-txt",
        help="Of addresses fetch what hosts forbid to programs in their robots.txt, too.",
    ),
]


def source_options(
    image_column: str | None,
    caption_column: str | None,
    split: str | None,
    config: str | None,
    images: Path | None,
    ignore_robots_txt: bool = False,
) -> SourceOptions:
    """These options as the library takes them."""
    from blindspots_hub.data.sources.rows import SourceOptions

    return SourceOptions(image_column, caption_column, split, config, images, ignore_robots_txt)
