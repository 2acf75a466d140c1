"""Caption-image pairs from a user's own images, a table, or a Hub dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Literal

from blindspots_hub.data.identity import (
    MAX_CAPTION,
    CaptionError,
    check_caption,
    choose_pairs,
    pair_id,
    pair_seed,
)
from blindspots_hub.data.images import first_bytes, image_size
from blindspots_hub.data.matching import Matched, match_folders
from blindspots_hub.data.pair_rows import TRIED, rows_of
from blindspots_hub.data.sources.rows import LeftOut, Row, SourceOptions
from blindspots_hub.data.spool import Spool
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.paper import PAIRS
from blindspots_hub.progress import Event, Work, drive
from blindspots_hub.utils.files import printable
from blindspots_hub.utils.passing import again

__all__ = [
    "MAX_CAPTION",
    "CaptionError",
    "Matched",
    "Pair",
    "PairSource",
    "SkipCause",
    "check_caption",
    "choose_pairs",
    "match_folders",
    "pair_id",
    "pair_seed",
    "read_pairs",
    "reading_pairs",
]

SkipCause = Literal[
    "caption_empty",
    "caption_too_long",
    "caption_not_text",
    "image_missing",
    "image_unreadable",
    "duplicate",
]
"""Why a row of a source is no pair. `image_missing` covers paths that lead out of the source."""


MOST_TOLD = 1_000_000
"""Rows of `PairSource.skipped_rows` that memory is given for."""


@dataclass(frozen=True)
class Pair:
    """A caption with its natural image (the encoded file), or with the URL of it, or both."""

    pair_id: str
    caption: str
    image: bytes | None
    url: str | None


class PairSource:
    """The pairs of a source, in its order, and what was left out of it.

    Images stay on disk: in the user's own files, or in an unnamed temporary file that vanishes
    with the process.
    """

    def __init__(self, seed: int = 0, all_captions: bool = False) -> None:
        """`all_captions` or, of an image that has several, the one that `seed` chooses."""
        self._seed, self._all_captions = seed, all_captions
        self.skipped: dict[str, int] = {}
        """What is no pair, counted by cause: a `SkipCause`, or what of a folder was not read."""
        self.skipped_rows: list[tuple[str, str]] = []
        """(cause, where) of what is no pair, row by row; the first `MOST_TOLD` of them."""
        self.examples: dict[str, str] = {}
        """Of every cause the first: where it is, and what is wrong where that is known."""
        self._captions: dict[str, str] = {}
        self._urls: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._spool = Spool()

    @property
    def ids_and_captions(self) -> tuple[tuple[str, str], ...]:
        """(pair id, caption) of every pair, in the source's order."""
        return tuple(self._captions.items())

    def __len__(self) -> int:
        return len(self._captions)

    def __iter__(self) -> Iterator[Pair]:
        return (self.pair(name) for name in self._captions)

    def image(self, pair_id: str) -> bytes:
        """The encoded natural image of a pair.

        Only its header has been checked: decode it with `images.open_image`. Raises
        `BlindspotsError` where the pair is unknown or its file has changed since it was read.
        """
        self._known(pair_id)
        if pair_id not in self._files:
            return self._spool.read(pair_id)
        path = self._files[pair_id]
        content = _read(path, gone_passes=True)
        if content is None or _id(self._captions[pair_id], content) != pair_id:
            raise BlindspotsError(
                f"{path} has changed or gone since the run began: leave the images alone while "
                "they are measured, and start again."
            )
        return content

    def pair(self, pair_id: str) -> Pair:
        """The whole pair, its image read; raises as `image` does."""
        image = self.image(pair_id)
        return Pair(pair_id, self._captions[pair_id], image, self._urls.get(pair_id))

    def _known(self, name: str) -> None:
        if name not in self._captions:
            raise BlindspotsError(
                f"There is no pair {name} in this source: give the id of one that it holds."
            )

    @property
    def left_out(self) -> str:
        """`skipped` in words, with examples; "" where nothing was."""
        first = {cause: f" (first: {told})" for cause, told in self.examples.items()}
        return ", ".join(
            f"{count:,} {cause}{first.get(cause, '')}" for cause, count in self.skipped.items()
        )

    def _add(self, row: Row | LeftOut) -> None:
        """Take a row in as a pair, or count why it is none."""
        if isinstance(row, LeftOut):
            self._skip(row.cause, row.example, row.count)
            return
        captions = row.caption if isinstance(row.caption, (list, tuple)) else [row.caption]
        content = _read(row.image) if isinstance(row.image, Path) else row.image
        if len(captions) > 1 and not self._all_captions:
            captions = [self._chosen(captions, content or b"")]
        for caption in captions or [None]:
            self._take(caption, content, row)

    def _chosen(self, captions: Sequence[object], content: bytes) -> object:
        """One of an image's captions that can be used, if any can: by seed, captions and image."""

        def rank(caption: object) -> tuple[bool, str]:
            try:
                name = _id(check_caption(caption), content)
            except CaptionError:
                return True, ""
            return False, sha256(f"caption:{self._seed}:{name}".encode()).hexdigest()

        return min(captions, key=rank)

    def _skip(self, cause: str, example: str, count: int = 1) -> None:
        self.skipped[cause] = self.skipped.get(cause, 0) + count
        if len(self.skipped_rows) < MOST_TOLD:
            self.skipped_rows.append((cause, printable(example)))
        if example:
            self.examples.setdefault(cause, printable(example))

    def _take(self, text: object, content: bytes | None, row: Row) -> None:
        try:
            caption = check_caption(text)
        except CaptionError as error:
            self._skip(error.cause, row.where)
            return
        if content is None:
            self._skip("image_missing", row.where)
            return
        where = row.image.name if isinstance(row.image, Path) else f"the image of {row.where}"
        try:
            image_size(content, where)
        except BlindspotsError as error:
            self._skip("image_unreadable", str(error).rstrip("."))
            return
        name = _id(caption, content)
        if name in self._captions:
            self._skip("duplicate", row.where)
            return
        self._captions[name] = caption
        if row.url is not None:
            self._urls[name] = row.url
        if isinstance(row.image, Path):
            self._files[name] = row.image
        else:
            self._spool.add(name, content)


def read_pairs(
    source: str | Path,
    limit: int | None = None,
    *,
    seed: int = 0,
    all_captions: bool = False,
    options: SourceOptions | None = None,
) -> PairSource:
    """Read the pairs of a folder, a file of one of many kinds, or a Hub dataset (org/name[@rev]).

    A folder holds images with a metadata.csv, .tsv, .jsonl or .parquet (columns file_name, and
    caption, text or prompt), or a .txt beside each image, or only parquet shards. A .csv, .tsv,
    .jsonl or .parquet file has a caption column and an image column (bytes, datasets' Image struct,
    or a path below its own folder); text may be UTF-8, UTF-16 or Windows-1252, and separators
    commas, semicolons, tabs or bars. A .zip holds such a folder, a .tar (or a folder of them) is a
    webdataset's, a .json is COCO's captions. `options` names columns, split, configuration or the
    folder of images, where the source does not say so itself. A Hub dataset is streamed. At most
    `limit` pairs are taken, in the source's order: all there are, and of a Hub dataset
    `paper.PAIRS`, unless set.

    Where an image has a list of captions, `seed` chooses one of them, and with `all_captions` each
    becomes a pair. Rows that are no pair, and files of a folder that are not read, are counted in
    `skipped`. Raises `BlindspotsError` where the source cannot be read, no pair is left, or the Hub
    does not answer (within some 2 s).
    """
    return drive(
        reading_pairs(source, limit, seed=seed, all_captions=all_captions, options=options)
    )


def reading_pairs(
    source: str | Path,
    limit: int | None = None,
    *,
    seed: int = 0,
    all_captions: bool = False,
    options: SourceOptions | None = None,
) -> Work[PairSource]:
    """`read_pairs` as a stage: an event every 100 rows, the last warns of what is left out.

    A Hub dataset none of whose first `TRIED` rows is a pair is not fetched any further.
    """
    if limit is not None and limit < 1:
        raise BlindspotsError(f"{limit} pairs were asked for: ask for at least 1.")
    local = Path(source).expanduser().exists()
    if limit is None and not local:
        limit = PAIRS
    pairs = PairSource(seed, all_captions)
    for number, row in enumerate(rows_of(source, options), start=1):
        pairs._add(row)
        if number % 100 == 0:
            yield Event("read pairs", min(len(pairs), limit or len(pairs)), limit or len(pairs))
        if limit is not None and len(pairs) >= limit:
            break
        if number == TRIED and not pairs and not local:
            raise BlindspotsError(
                f"None of the first {TRIED:,} rows of {source} is a usable pair "
                f"({pairs.left_out}): give a dataset with images and text captions."
            )
    if not pairs:
        raise BlindspotsError(
            f"{source} has no usable pair ({pairs.left_out or 'it is empty'}): give images that "
            "can be read, each with a caption."
        )
    told = {}
    if pairs.left_out:
        told = {"warning": f"Of {printable(str(source))} are left out: {pairs.left_out}."}
    yield Event("read pairs", len(pairs), len(pairs), told)
    return pairs


def _id(caption: str, content: bytes) -> str:
    return pair_id(caption, content)


def _read(path: Path, gone_passes: bool = False) -> bytes | None:
    """`first_bytes` of an image file, which `image_size` refuses where that cut it.

    None where there is no such file, which with `gone_passes` is found out by trying again. Raises
    `PassingFault` where its disk does not answer.
    """
    try:
        return again(partial(first_bytes, path), path, gone_passes)
    except OSError:
        return None
