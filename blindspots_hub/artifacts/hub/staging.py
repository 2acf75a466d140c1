"""The bundle as it is published: named, versioned, and without images that are not ours to give.

Images that came from the web belong to whoever made them. Their URL, sha256 and size let anybody
fetch and check them again, so `thumbnails`, the default, publishes those and leaves the images out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.hub.repos import Version
from blindspots_hub.artifacts.inventory import unknown_files
from blindspots_hub.artifacts.layout import MANIFEST, NATURAL, listed_files, table_files
from blindspots_hub.artifacts.manifest import FileEntry
from blindspots_hub.artifacts.parquet import batches_of, read_table
from blindspots_hub.artifacts.schema import PAIRS, THUMBNAILS, TableSpec
from blindspots_hub.artifacts.writer import write_pieces
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.files import sha256_file, share_or_copy, write_json

ALL, THUMBNAILS_ONLY, NONE = "all", "thumbnails", "none"
NATURAL_IMAGES = (ALL, THUMBNAILS_ONLY, NONE)
"""What is published of natural images that have a URL: they and their thumbnails, only these, or
neither. Images without a URL are the publisher's own, or were drawn, and are always published."""


def staging(
    bundle: Bundle, name: str, version: Version, natural_images: str, into: Path
) -> Work[Path]:
    """Lay the published form of `bundle` into the new folder `into`, and return it.

    Files that stay as they are share their bytes. The same arguments give the same bytes.
    """
    if natural_images not in NATURAL_IMAGES:
        raise BlindspotsError(
            f"Natural images are published by one of the rules {', '.join(NATURAL_IMAGES)}: "
            f"{natural_images!r} is none of them."
        )
    bundle.fetch()
    names = sorted(bundle.manifest.files)
    stray = unknown_files(names, [model.name for model in bundle.manifest.models])
    if stray:
        raise BlindspotsError(
            f"{stray[0]} of {bundle.root} has no place in a bundle, and nothing that is not known "
            "is published: write the bundle anew without it, or upgrade blindspots_hub if a later "
            "version wrote it."
        )
    rewritten: list[str] = []
    replaced: set[str] = set()
    if natural_images != ALL:
        yield Event("prepare the bundle", 0, 2)
        if written := _without_web_images(bundle.root, into):
            rewritten += written
            replaced |= {*listed_files(names, PAIRS)}
    if natural_images == NONE:
        yield Event("prepare the bundle", 1, 2)
        if written := _without_web_thumbnails(bundle.root, into):
            rewritten += written
            replaced |= {*listed_files(names, THUMBNAILS)}

    files = {name: entry for name, entry in bundle.manifest.files.items() if name not in replaced}
    for file in files:
        share_or_copy(bundle.root / file, into / file)
    for file in rewritten:
        path = into / file
        files[file] = FileEntry(sha256_file(path), path.stat().st_size)
    files = dict(sorted(files.items()))
    published = replace(bundle.manifest, name=name, version=str(version), files=files)
    write_json(into / MANIFEST, published.to_json())
    yield Event("prepare the bundle", 2, 2)
    return into


def _without_web_images(root: Path, into: Path) -> list[str]:
    """Write the table of pairs without its images from the web, if it holds any."""
    columns = ["url", "image.path"]
    if not any(
        pc.any(pc.and_(_from_web(batch), batch["image"].is_valid())).as_py()
        for batch in batches_of(table_files(root, PAIRS), columns, 10_000)
    ):
        return []

    def blank(table: pa.Table) -> pa.Table:
        image = table["image"].combine_chunks()
        kept = pc.if_else(_from_web(table), pa.scalar(None, image.type), image)
        return table.set_column(table.schema.get_field_index("image"), "image", kept)

    return _rewrite(root, into, PAIRS, blank)


def _without_web_thumbnails(root: Path, into: Path) -> list[str]:
    """Write the table of thumbnails without those of natural images from the web."""
    pairs = read_table(table_files(root, PAIRS), ["pair_id", "url"])
    from_web = pairs["pair_id"].filter(_from_web(pairs)).combine_chunks()

    def drop(table: pa.Table) -> pa.Table:
        natural = pc.equal(table["source"], NATURAL)
        return table.filter(
            pc.invert(pc.and_(natural, pc.is_in(table["pair_id"], value_set=from_web)))
        )

    return _rewrite(root, into, THUMBNAILS, drop) if len(from_web) else []


def _from_web(table: pa.Table | pa.RecordBatch) -> pa.Array:
    url = pc.fill_null(table["url"], "")
    return pc.not_equal(url, "")


def _rewrite(root: Path, into: Path, spec: TableSpec, change: Any) -> list[str]:
    """Write a table changed, some rows at a time, as images may be larger than memory."""
    files = table_files(root, spec)
    schema = pq.read_schema(files[0])
    rows = (pa.Table.from_batches([batch]) for batch in batches_of(files, schema.names))
    written = write_pieces(into, spec, (change(table) for table in rows), schema=schema)
    return [path.relative_to(into).as_posix() for path in written]


def part_files(staged: Path, names: Collection[str], part: str) -> dict[str, Path]:
    """Files of a part by their path in its repository, where they lie at the top."""
    prefix = f"{part}/"
    return {name[len(prefix) :]: staged / name for name in names if name.startswith(prefix)}
