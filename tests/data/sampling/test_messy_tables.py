"""Tables of captions and addresses as programs write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from web_fixtures import LoopbackWeb, http, picture

from blindspots_hub.data.sampling.sample import Sample, sampling
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive

COUNT = 6


@pytest.fixture(scope="module")
def web() -> Iterator[LoopbackWeb]:
    with LoopbackWeb(lambda path, before: http(picture(int(path[1:])))) as served:
        yield served


def drawn(source: Path, web: LoopbackWeb, pairs: int = 3) -> Sample:
    out = source.parent / f"out-{source.name}"
    return drive(sampling(source, out, pairs, web=web.web()))


def rows(web: LoopbackWeb, **more: Any) -> list[dict[str, Any]]:
    return [{"url": web.url(f"/{i}"), "caption": f"caption {i}", **more} for i in range(COUNT)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_scores_are_numbers_however_they_are_spelt(
    tmp_path: Path, web: LoopbackWeb, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    found = rows(web, punsafe=0.25, pwatermark=0.5)
    found[0]["punsafe"] = 0.75
    if suffix == ".csv":
        lines = [",".join(found[0]), *(",".join(map(str, one.values())) for one in found)]
        path.write_text("\n".join(lines))
    elif suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, found)))
    else:
        for one in found:
            one["punsafe"] = Decimal(str(one["punsafe"]))
        pq.write_table(pa.Table.from_pylist(found), path)
    sample = drawn(path, web, COUNT - 1)
    assert (sample.pairs, sample.causes["unsafe"]) == (COUNT - 1, 1)


def test_text_that_is_none_is_no_traceback(tmp_path: Path, web: LoopbackWeb) -> None:
    found = rows(web)
    found[0]["caption"], found[1]["url"] = "half a \ud83d sign", "http://\ud83d.test/1"
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, found)))
    causes = drawn(tmp_path / "a.jsonl", web, COUNT - 2).causes
    assert (causes["ok"], causes["caption_empty"], causes["bad_url"]) == (COUNT - 2, 1, 1)
    offsets = pa.array([0, 4, *(4 + i for i in range(1, COUNT))], pa.int32()).buffers()[1]
    broken = pa.StringArray.from_buffers(COUNT, offsets, pa.py_buffer(b"caf\xe9abcde"))
    table = pa.table({"url": [one["url"] for one in found[2:]] + ["", ""], "caption": broken})
    pq.write_table(table, tmp_path / "b.parquet")
    assert drawn(tmp_path / "b.parquet", web).pairs == 3


def test_text_kept_as_bytes_and_lists_of_captions(tmp_path: Path, web: LoopbackWeb) -> None:
    found = rows(web)
    table = {
        "url": [one["url"].encode() for one in found],
        "caption": [[None, one["caption"], "another"] for one in found],
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    assert drawn(tmp_path / "a.parquet", web).pairs == 3


def test_tables_that_do_not_go_together_are_told(tmp_path: Path, web: LoopbackWeb) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    found = pa.Table.from_pylist(rows(web))
    pq.write_table(found, folder / "0.parquet")
    pq.write_table(found.rename_columns(["URL", "Caption"]), folder / "1.parquet")
    assert drawn(folder, web).pairs == 3  # names in another case are the same names
    pq.write_table(found.rename_columns(["url", "text"]), folder / "1.parquet")
    with pytest.raises(BlindspotsError, match=r"1\.parquet of .* has no column caption"):
        drive(sampling(folder, tmp_path / "other", COUNT, web=web.web()))
    twice = pa.Table.from_arrays([*found.columns, found["caption"]], ["url", "caption", "caption"])
    pq.write_table(twice, tmp_path / "c.parquet")
    (tmp_path / "d.json").write_text("{}")
    for name, words in (("c.parquet", "several columns caption"), ("d.json", "is no table")):
        with pytest.raises(BlindspotsError, match=words):
            drawn(tmp_path / name, web)
