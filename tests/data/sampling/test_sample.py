from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from web_fixtures import LoopbackWeb, Pieces, http, picture

from blindspots_hub.data.pairs import read_pairs
from blindspots_hub.data.sampling import blocks, candidates, sample
from blindspots_hub.data.sampling.columns import Columns, Safety
from blindspots_hub.data.sampling.tables import open_tables
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.runs.sample import link_rot
from blindspots_hub.utils.passing import PassingFault


def site(path: str, before: int) -> bytes | Pieces:
    """/KIND/NUMBER: an image of that number, or a fault."""
    _, kind, number = path.split("/")
    image = picture(int(number))
    answers = {
        "ok": http(image),
        "gone": http(status="404 Not Found"),
        "noai": http(image, X_Robots_Tag="noai"),
        "html": http(b"<html>"),
        "cut": http(image[:100], length=len(image)),
    }
    return answers[kind]


@pytest.fixture
def web() -> Iterator[LoopbackWeb]:
    with LoopbackWeb(site) as served:
        yield served


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (blocks, sample):
        monkeypatch.setattr(module, "BLOCK", 8)


def rows_of(web: LoopbackWeb, kinds: str, start: int = 0) -> list[dict[str, Any]]:
    """A row a letter: o(k), g(one), n(oai), h(tml), c(ut)."""
    named = {"o": "ok", "g": "gone", "n": "noai", "h": "html", "c": "cut"}
    return [
        {
            "URL": web.url(f"/{named[kind]}/{start + i}", f"h{i % 5}.test"),
            "TEXT": f"caption {start + i}",
            "WIDTH": 48 if i % 3 else 640,
            "HEIGHT": 48,
            "punsafe": 0.9 if i % 10 == 9 else 0.1,
            "pwatermark": 0.2,
        }
        for i, kind in enumerate(kinds)
    ]


def table_of(path: Path, rows: list[dict[str, Any]], group: int = 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def drawn(source: Path, out: Path, pairs: int, web: LoopbackWeb, **more: Any) -> sample.Sample:
    options = {"web": web.web(), **more}
    return drive(sample.sampling(source, out, pairs, **options))


def attempts(out: Path) -> list[dict[str, Any]]:
    return [row for table in blocks.whole_blocks(out) for row in table.to_pylist()]


def content(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_every_attempt_has_its_cause_and_the_pairs_are_read(
    tmp_path: Path, web: LoopbackWeb
) -> None:
    rows = rows_of(web, "ogonohoc" * 10)
    source = table_of(tmp_path / "table.parquet", rows)
    found = drawn(source, tmp_path / "out", 20, web)
    assert found.pairs == 20
    told = attempts(tmp_path / "out")
    of_url = {row["URL"]: row for row in rows}
    kinds = {"ok": "ok", "gone": "http_error", "noai": "opted_out", "html": "not_an_image"}
    kinds["cut"] = "cut_short"
    for row in told:
        expected = kinds[row["url"].split("/")[3]]
        if of_url[row["url"]]["punsafe"] > 0.5:
            expected = "unsafe"
        assert row["cause"] in {expected, "not_needed"} - ({"not_needed"} - {expected} if
                expected != "ok" else set())  # fmt: skip
        if row["cause"] == "ok":
            assert row["size_matches"] is (of_url[row["url"]]["WIDTH"] == 48)
            number = int(row["url"].rsplit("/", 1)[1])
            assert row["sha256"] == hashlib.sha256(picture(number)).hexdigest()
    assert [row["place"] for row in told] == list(range(len(told)))
    assert found.causes == dict(sorted(Counter(row["cause"] for row in told).items()))
    assert found.mismatches["size"] > 0
    pairs = read_pairs(tmp_path / "out")
    assert len(pairs) == 20
    assert {pair.url for pair in pairs} == {row["url"] for row in told if row["cause"] == "ok"}


def test_more_pairs_go_on_and_fewer_are_told(tmp_path: Path, web: LoopbackWeb) -> None:
    source = table_of(tmp_path / "t.parquet", rows_of(web, "oog" * 30))
    drawn(source, tmp_path / "grown", 10, web)
    asked = sum(web.asked.values())
    drawn(source, tmp_path / "grown", 10, web)
    assert sum(web.asked.values()) == asked, "it was there already"
    drawn(source, tmp_path / "grown", 30, web)
    drawn(source, tmp_path / "once", 30, web)
    assert content(tmp_path / "grown") == content(tmp_path / "once")
    with pytest.raises(BlindspotsError, match="holds 30 pairs already"):
        drawn(source, tmp_path / "grown", 5, web)
    with pytest.raises(BlindspotsError, match=r"drawn otherwise \(seed\)"):
        drawn(source, tmp_path / "grown", 30, web, seed=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(BlindspotsError, match="holds other files"):
        drawn(source, tmp_path / "other", 30, web)


def test_a_table_with_too_few_says_how_many_it_has(tmp_path: Path, web: LoopbackWeb) -> None:
    source = table_of(tmp_path / "t.parquet", rows_of(web, "ogn" * 6))
    with pytest.raises(BlindspotsError) as caught:
        drawn(source, tmp_path / "out", 50, web)
    told = str(caught.value)
    assert "holds 5 pairs, not 50: all 18 rows" in told
    assert "opted_out" in told
    assert "--pairs 5" in told
    assert len(read_pairs(tmp_path / "out")) == 5
    nothing = table_of(tmp_path / "n.parquet", rows_of(web, "n" * 20))
    with pytest.raises(BlindspotsError, match=r"holds 0 pairs, not 5.*18 opted_out"):
        drawn(nothing, tmp_path / "none", 5, web)


def test_a_network_that_is_away_is_no_fact_about_addresses(
    tmp_path: Path, web: LoopbackWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "_ENOUGH_TO_TELL", 5)
    rows = [{"url": f"http://{i}.example/x.jpg", "caption": f"c {i}"} for i in range(40)]
    source = table_of(tmp_path / "t.parquet", rows)
    with pytest.raises(PassingFault, match=r"None of 8 addresses in a row answers .8 name_unknown"):
        drawn(source, tmp_path / "out", 5, web)
    assert not attempts(tmp_path / "out"), "nothing was taken for dead"


def test_copies_are_dropped_the_first_stays(tmp_path: Path, web: LoopbackWeb) -> None:
    from data_fixtures import encoded
    from PIL import Image

    def copies(path: str, before: int) -> bytes:
        if path == "/near":  # another file that looks the same
            import io

            return http(encoded(Image.open(io.BytesIO(picture(1))), "JPEG", quality=70))
        return http(picture(int(path[1:])))

    web.site = copies
    paths = ["/1", "/2", "/1", "/near", "/3"]
    rows = [{"url": web.url(p, f"h{i}.test"), "caption": f"c{i}"} for i, p in enumerate(paths)]
    source = table_of(tmp_path / "t.parquet", rows)
    with pytest.raises(BlindspotsError, match="holds 3 pairs"):
        drawn(source, tmp_path / "out", 5, web)
    told = Counter(row["cause"] for row in attempts(tmp_path / "out"))
    assert told["ok"] == 3
    assert told["exact_copy"] + told["near_copy"] == 2
    for row in attempts(tmp_path / "out"):
        if row["copy_of"] is not None:
            assert row["copy_of"] < row["place"]


def test_a_later_run_reports_link_rot(tmp_path: Path, web: LoopbackWeb) -> None:
    source = table_of(tmp_path / "t.parquet", rows_of(web, "og" * 20))
    drawn(source, tmp_path / "out", 10, web)
    before = content(tmp_path / "out")
    asked = {row["url"]: row for row in attempts(tmp_path / "out") if row["tries"] is not None}
    had = sorted(url for url, row in asked.items() if row["sha256"])
    lost, other = had[0], had[1]

    def later(path: str, number: int) -> bytes | Pieces:
        if lost.endswith(path):
            return http(status="410 Gone")
        return http(picture(999)) if other.endswith(path) else site(path, number)

    web.site = later
    found = link_rot(tmp_path / "out", tmp_path / "rot.parquet", web=web.web())
    assert found.changes["same"] == len(had) - 2
    assert (found.changes["gone"], found.changes["replaced"]) == (1, 1)
    assert found.gone == {"http_error": 1}
    assert found.changes["still"] == len(asked) - len(had)
    assert "1 none (1 http_error)" in str(found)
    assert content(tmp_path / "out") == before
    with pytest.raises(BlindspotsError, match="no finished sample"):
        link_rot(tmp_path)


def test_candidates_are_every_row_once_in_an_order_of_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "ROWS", 4)
    for file in range(3):
        rows = [{"url": f"u{file}-{i}", "caption": "c"} for i in range(25 + file)]
        table_of(tmp_path / "t" / f"{file}.parquet", rows, group=10)
    tables = open_tables(tmp_path / "t", tmp_path / "made")
    columns = Columns.of(tables.names, "it", Safety())

    def order(seed: int, start: int = 0) -> list[str]:
        rows = candidates.candidates(tables, columns, seed, start)
        return [str(row.url) for row in rows]

    all_rows = order(0)
    assert len(all_rows) == len(set(all_rows)) == 25 + 26 + 27
    assert order(0) == all_rows
    assert order(1) != all_rows
    assert order(0, 31) == all_rows[31:]
    assert len({url[:2] for url in all_rows[:12]}) == 3, "every file is visited in turn"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_text_tables_are_sampled_too(tmp_path: Path, web: LoopbackWeb, suffix: str) -> None:
    import json

    rows = rows_of(web, "oooo")
    source = tmp_path / f"table{suffix}"
    if suffix == ".jsonl":
        lines = [json.dumps({"url": row["URL"], "caption": row["TEXT"]}) for row in rows]
    else:
        cut = "," if suffix == ".csv" else "\t"
        lines = [f"url{cut}caption", *(f"{row['URL']}{cut}{row['TEXT']}" for row in rows)]
    source.write_text("\n".join(lines))
    assert drawn(source, tmp_path / "out", 4, web).pairs == 4


def test_tables_that_cannot_be_sampled_are_told(tmp_path: Path, web: LoopbackWeb) -> None:
    source = table_of(tmp_path / "t.parquet", [{"link": "x", "caption": "y"}])
    with pytest.raises(BlindspotsError, match=r"no column of addresses .*it has link, caption"):
        drawn(source, tmp_path / "out", 2, web)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(BlindspotsError, match="not a readable parquet file"):
        drawn(tmp_path / "broken.parquet", tmp_path / "out", 2, web)
    with pytest.raises(BlindspotsError, match="did you mean"):
        drawn(tmp_path / "t.parqet", tmp_path / "out", 2, web)
    with pytest.raises(BlindspotsError, match="Hub cannot be reached"):
        drawn(Path("org/name"), tmp_path / "out", 2, web)
    with pytest.raises(BlindspotsError, match="out of range"):
        Safety(max_unsafe=2)


def test_safety_columns_as_tables_have_them() -> None:
    names = ["URL", "TEXT", "NSFW", "punsafe", "watermark_score"]
    columns = Columns.of(names, "it", Safety())
    fine = {"NSFW": "UNLIKELY", "punsafe": 0.5, "watermark_score": 0.8}
    assert not columns.unsafe(fine)
    for change in (
        {"NSFW": "NSFW"}, {"NSFW": None}, {"punsafe": 0.51}, {"punsafe": None},
        {"punsafe": float("nan")}, {"watermark_score": 0.9},
    ):  # fmt: skip
        assert columns.unsafe({**fine, **change}), change
    everything = Columns.of(names, "it", Safety(1, 1))
    assert not everything.unsafe({"NSFW": "NSFW", "punsafe": 1.0})
