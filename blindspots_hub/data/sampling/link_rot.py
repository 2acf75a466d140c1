"""A sample's addresses asked again: which still answer, and with the same image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blindspots_hub.data.fetching.causes import NotFetched
from blindspots_hub.data.fetching.many import FromWeb, Web, fetch_images
from blindspots_hub.data.sampling.about import JUDGING, read_sample
from blindspots_hub.data.sampling.blocks import whole_blocks
from blindspots_hub.data.sampling.near_copies import NEAR
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.files import atomic
from blindspots_hub.utils.sink import sink

STAGE = "ask again"

_SCHEMA = pa.schema(
    [
        ("place", pa.int64()),
        ("url", pa.string()),
        ("before", pa.string()),
        ("now", pa.string()),
        ("change", pa.string()),
        ("sha256", pa.string()),
    ]
)
"""Of every address that was asked then: the cause then and now ("ok" for an image), and `change`:
same, altered (another file that looks the same), replaced (another image), gone, back, or still."""


@dataclass(frozen=True)
class LinkRot:
    """How many addresses of a sample changed, and how.

    Attributes:
        path: the table, a row an address.
        changes: addresses by `change`.
        gone: those that gave an image then and give none now, by cause.
    """

    path: Path
    changes: dict[str, int]
    gone: dict[str, int]

    def __str__(self) -> str:
        had = sum(self.changes.get(name, 0) for name in ("same", "altered", "replaced", "gone"))
        gone = self.changes.get("gone", 0)
        causes = ", ".join(f"{n:,} {cause}" for cause, n in self.gone.items())
        return (
            f"Of {had:,} addresses that gave an image, {self.changes.get('same', 0):,} give the "
            f"same file, {self.changes.get('altered', 0):,} another file that looks the same, "
            f"{self.changes.get('replaced', 0):,} another image, {gone:,} none"
            f"{f' ({causes})' if causes else ''}; {self.changes.get('back', 0):,} that gave none "
            "give one now."
        )


def asking_again(folder: Path, out: Path | None = None, web: Web | None = None) -> Work[LinkRot]:
    """Fetch the candidates of the sample in `folder` anew and tell what has changed.

    Writes `out` (`link_rot.parquet` in the folder unless named); the sample stays as it is.
    """
    about = read_sample(folder)
    if about is None or not about.get("finished"):
        raise BlindspotsError(
            f"{folder} holds no finished sample: give the folder that `sample-laion` wrote."
        )
    asked = [
        row
        for table in whole_blocks(folder)
        for row in table.select(
            ["place", "url", "cause", "sha256", "perceptual_hash", "tries"]
        ).to_pylist()
        if row["tries"] is not None
    ]
    rows: dict[int, dict[str, Any]] = {}
    for index, found in _fetched(asked, _as_then(web or Web(), about)):
        rows[index] = _row(asked[index], found)
        yield Event(STAGE, len(rows), len(asked))
    path = out or folder / "link_rot.parquet"
    listed = [rows[index] for index in range(len(asked))]
    with atomic(path) as partial, sink(partial) as file:
        pq.write_table(pa.Table.from_pylist(listed, _SCHEMA), file, compression="zstd")
    changes = Counter(row["change"] for row in listed)
    gone = Counter(row["now"] for row in listed if row["change"] == "gone")
    return LinkRot(path, dict(changes.most_common()), dict(gone.most_common()))


def _as_then(web: Web, about: Mapping[str, Any]) -> Web:
    """`web` with the limits by which the sample's images were judged."""
    bounds = {name: about["how"]["bounds"][name] for name in JUDGING}
    bounds["opt_outs"] = tuple(bounds["opt_outs"])
    return replace(web, limits=replace(web.limits, **bounds))


def _fetched(asked: list[dict[str, Any]], web: Web) -> Iterator[tuple[int, FromWeb | NotFetched]]:
    return fetch_images((row["url"] for row in asked), web)


def _row(then: dict[str, Any], found: FromWeb | NotFetched) -> dict[str, Any]:
    had = then["sha256"] is not None
    if isinstance(found, NotFetched):
        now, sha256, change = str(found.cause), None, "gone" if had else "still"
    else:
        now, sha256 = "ok", found.image.sha256
        if not had:
            change = "back"
        elif sha256 == then["sha256"]:
            change = "same"
        else:
            different = found.image.perceptual_hash ^ then["perceptual_hash"]
            change = "altered" if bin(different).count("1") <= NEAR else "replaced"
    return {
        "place": then["place"],
        "url": then["url"],
        "before": "ok" if had else then["cause"],
        "now": now,
        "change": change,
        "sha256": sha256,
    }
