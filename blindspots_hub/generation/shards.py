"""One shard of a store of generations: a parquet file of images with all that is known of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.data.identity import generation_id
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.image_files import GeneratedImage
from blindspots_hub.generation.plan import Plan
from blindspots_hub.utils.files import atomic
from blindspots_hub.utils.sink import sink

PLAN = b"plan"
"""Key of a file's metadata: the fingerprint of the plan that it was written by."""

_FAILED = b"failed"
"""Key of a file's metadata: how many of its images could not be drawn; not there where none."""

COLUMNS: dict[str, tuple[pa.DataType, Any]] = {
    "pair_id": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "draw": (pa.int32(), {"dtype": "int32", "_type": "Value"}),
    "seed": (pa.int64(), {"dtype": "int64", "_type": "Value"}),
    "caption": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "image": (pa.struct([("bytes", pa.binary()), ("path", pa.string())]), {"_type": "Image"}),
    "image_sha256": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "flags": (
        pa.list_(pa.string()),
        {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
    ),
    "status": (pa.string(), {"dtype": "string", "_type": "Value"}),
}
"""Type of every column, and the feature by which `datasets` and the Hub's viewer read it."""


def write_shard(
    path: Path, plan: Plan, names: Sequence[str], images: Sequence[GeneratedImage]
) -> None:
    """Write the images of these names, atomically; the same images give the same bytes."""
    features = {name: feature for name, (_, feature) in COLUMNS.items()}
    metadata = {
        b"huggingface": json.dumps({"info": {"features": features}}).encode(),
        PLAN: plan.fingerprint.encode(),
    }
    if failed := sum(found.content is None for found in images):
        metadata[_FAILED] = str(failed).encode()
    schema = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()], metadata=metadata)
    rows = [_row(plan, name, found) for name, found in zip(names, images, strict=True)]
    with atomic(path) as partial, sink(partial) as file:
        pq.write_table(
            pa.Table.from_pylist(rows, schema),
            file,
            compression="zstd",
            use_content_defined_chunking=True,
        )


def _row(plan: Plan, name: str, found: GeneratedImage) -> dict[str, Any]:
    pair_id, number = plan.names[name]
    content = found.content
    cell = {"bytes": content, "path": f"{name}.{plan.encoding.suffix}"}
    return {
        "pair_id": pair_id,
        "draw": number,
        "seed": found.seed,
        "caption": plan.captions[pair_id],
        "image": None if content is None else cell,
        "image_sha256": None if content is None else sha256(content).hexdigest(),
        "flags": list(found.flags),
        "status": found.status,
    }


def plan_of(path: Path) -> str | None:
    """Fingerprint of the plan that a shard was written by; None where it is no shard."""
    return _metadata(path, PLAN)


def failed_in(path: Path) -> int:
    """How many images of a shard could not be drawn."""
    return int(_metadata(path, _FAILED) or 0)


def _metadata(path: Path, key: bytes) -> str | None:
    try:
        found = (pq.read_schema(path).metadata or {}).get(key)
    except (pa.ArrowException, OSError):
        return None
    return None if found is None else found.decode()


def captions_of(path: Path) -> list[tuple[str, int, str]]:
    """Pair id, number and caption of every image of a shard."""
    table = _read(path, ["pair_id", "draw", "caption"])
    return list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def read_shard(path: Path) -> Mapping[str, GeneratedImage]:
    """The images of a shard by name; `BlindspotsError` where it is damaged."""
    found = {}
    for row in _read(path, None).to_pylist():
        content = None if row["image"] is None else row["image"]["bytes"]
        if content is not None and sha256(content).hexdigest() != row["image_sha256"]:
            raise _damaged(path, "an image is not the one whose sha256 it names")
        found[generation_id(row["pair_id"], row["draw"])] = GeneratedImage(
            content, row["seed"], tuple(row["flags"]), row["status"]
        )
    return found


def _read(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> BlindspotsError:
    return BlindspotsError(
        f"{path} is damaged ({why}): remove the file, and generate again with the same arguments."
    )
