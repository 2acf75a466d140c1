"""LAION's table on the tests' Hub, sampled over real HTTP; kills; 2,000 addresses; evaluate."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_hub import Hub
from web_fixtures import LoopbackWeb, Names, Pieces, http, picture

from blindspots_hub.data.fetching.causes import NotFetched
from blindspots_hub.data.fetching.many import FromWeb, Web, fetch_images
from blindspots_hub.data.pairs import read_pairs
from blindspots_hub.data.sampling import blocks, sample
from blindspots_hub.data.sampling.about import read_sample
from blindspots_hub.data.sources.rows import SourceOptions
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.runs import sources
from blindspots_hub.runs.evaluate import evaluate

FAULTS: dict[str, str | None] = {
    "ok": None, "gone": "http_error", "error": "http_error", "noai": "opted_out",
    "html": "not_an_image", "svg": "not_an_image", "cut": "cut_short", "empty": "empty",
    "small": "too_small", "torn": "image_damaged", "loop": "too_many_redirects",
    "part": "partial_content", "odd": "bad_encoding", "inside": "forbidden_address",
    "moved": None, "busy": None,
}  # fmt: skip


def site(path: str, before: int) -> bytes | Pieces:
    """/KIND/NUMBER."""
    _, kind, number = path.split("/")
    image = picture(int(number))
    answers = {
        "ok": http(image),
        "gone": http(status="404 Not Found"),
        "error": http(status="403 Forbidden"),
        "noai": http(image, X_Robots_Tag="noai"),
        "html": http(b"<html>", Content_Type="image/jpeg"),
        "svg": http(b"<svg/>", Content_Type="image/svg+xml"),
        "cut": http(image[:100], length=len(image)),
        "empty": http(b""),
        "small": http(picture(int(number), 8)),
        "torn": http(image[: len(image) // 2]),
        "loop": http(status="302 Found", Location=path),
        "part": http(image, status="206 Partial Content"),
        "odd": http(image, Content_Encoding="br"),
        "inside": http(status="301 Moved", Location="http://10.0.0.1/"),
        "moved": http(status="308 Moved", Location=f"/ok/{number}"),
        "busy": http(status="503 Busy") if before == 0 else http(image),
    }
    return answers[kind]


@pytest.fixture
def web() -> Iterator[LoopbackWeb]:
    with LoopbackWeb(site) as served:
        yield served


def patient(web: LoopbackWeb) -> Web:
    """Limits for a busy machine: only what hangs on purpose may take long."""
    return web.web(read_seconds=30.0, total_seconds=60.0, connect_seconds=30.0)


def test_two_thousand_addresses_are_told_apart_exactly(web: LoopbackWeb) -> None:
    dice = random.Random(0)
    kinds = [dice.choice(list(FAULTS)) for _ in range(2000)]
    urls = [web.url(f"/{kind}/{i}", f"h{i % 97}.test") for i, kind in enumerate(kinds)]
    found = dict(fetch_images(urls, patient(web)))
    told = [None if isinstance(one := found[i], FromWeb) else one.cause for i in range(len(urls))]
    assert told == [FAULTS[kind] for kind in kinds]
    for i, one in found.items():
        if isinstance(one, FromWeb):
            assert one.image.content == picture(i)
        else:
            assert isinstance(one, NotFetched)


def laion(web: LoopbackWeb, start: int, count: int) -> bytes:
    """A shard of LAION's columns: half of its addresses are dead."""
    kinds = ("ok", "gone", "ok", "noai", "html")
    rows = [
        {
            "URL": web.url(f"/{kinds[i % 5]}/{i}", f"h{i % 7}.test"),
            "TEXT": f"a caption of {i}",
            "WIDTH": 48.0,
            "HEIGHT": 48.0,
            "similarity": 0.3,
            "hash": i,
            "punsafe": 0.7 if i % 11 == 0 else 0.001,
            "pwatermark": 0.9 if i % 13 == 0 else 0.1,
        }
        for i in range(start, start + count)
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer, row_group_size=30)
    return buffer.getvalue()


@pytest.fixture
def dataset(hub: Hub, web: LoopbackWeb) -> str:
    from huggingface_hub import HfApi

    name = f"{hub.owner}/relaion"
    HfApi().create_repo(name, repo_type="dataset")
    for shard in range(3):
        HfApi().upload_file(
            path_or_fileobj=laion(web, 90 * shard, 90), path_in_repo=f"part-{shard}.parquet",
            repo_id=name, repo_type="dataset",
        )  # fmt: skip
    return name


def test_laions_table_is_sampled_from_the_hub(
    hub: Hub, dataset: str, web: LoopbackWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (blocks, sample):
        monkeypatch.setattr(module, "BLOCK", 16)
    found = drive(sample.sampling(dataset, tmp_path / "a", 40, web=patient(web)))
    assert found.pairs == 40
    about = read_sample(tmp_path / "a")
    assert about is not None
    assert about["revision"] == hub.server.repo("dataset", dataset).head
    assert {"ok", "http_error", "opted_out", "not_an_image", "unsafe"} <= set(found.causes)
    assert found.mismatches == {}
    # Later commits change nothing for whoever names the revision.
    from huggingface_hub import HfApi

    HfApi().upload_file(
        path_or_fileobj=laion(web, 900, 90), path_in_repo="part-9.parquet", repo_id=dataset,
        repo_type="dataset",
    )  # fmt: skip
    pinned = f"{dataset}@{about['revision']}"
    drive(sample.sampling(pinned, tmp_path / "b", 40, web=patient(web)))
    assert [pair.pair_id for pair in read_pairs(tmp_path / "a")] == [
        pair.pair_id for pair in read_pairs(tmp_path / "b")
    ]
    rows = [row for table in blocks.whole_blocks(tmp_path / "a") for row in table.to_pylist()]
    assert len({row["key"].split("#")[0] for row in rows}) == 3, "every shard is drawn from"


def test_data_sets_that_are_gated_or_missing_are_told(
    hub: Hub, dataset: str, tmp_path: Path
) -> None:
    hub.server.repo("dataset", dataset).gated = "manual"
    from huggingface_hub import HfApi

    with pytest.raises(BlindspotsError, match="terms accepted first"):
        os.environ["HF_TOKEN"] = hub.server.add_user(f"{hub.owner}-guest")
        drive(sample.sampling(dataset, tmp_path / "a", 5))
    with pytest.raises(BlindspotsError, match="no such repository"):
        drive(sample.sampling(f"{hub.owner}/nothing", tmp_path / "b", 5))
    os.environ["HF_TOKEN"] = hub.token
    HfApi().create_repo(f"{hub.owner}/bare", repo_type="dataset")
    with pytest.raises(BlindspotsError, match="has no parquet files"):
        drive(sample.sampling(f"{hub.owner}/bare", tmp_path / "c", 5))


def table_of(web: LoopbackWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of addresses, which `--pairs-from` fetches by the rules that it asks for."""
    table = tmp_path / "table.parquet"
    table.write_bytes(laion(web, 0, 90))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    drawn = sample.sampling

    def drawing(*some: Any, **more: Any) -> Any:
        asked = more.pop("web").limits.robots_txt
        own = patient(web)
        own = replace(own, limits=replace(own.limits, robots_txt=asked))
        return drawn(*some, **more, web=own)

    monkeypatch.setattr(sources, "sampling", drawing)
    return table


def test_robots_txt_is_honoured_by_a_table_of_addresses_unless_told_otherwise(
    web: LoopbackWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(web, tmp_path, monkeypatch)
    forbidden = http(b"User-agent: *\nDisallow: /")
    web.robots = {f"h{i}.test": forbidden for i in range(1_000)}
    with pytest.raises(BlindspotsError, match="robots_txt"):
        evaluate("planted/cedar", tmp_path / "one", pairs=6, pairs_from=str(table))
    freely = SourceOptions(ignore_robots_txt=True)
    found = evaluate(
        "planted/cedar", tmp_path / "two", pairs=6, pairs_from=str(table), source_options=freely
    )
    assert len(found.image_ids("natural")) == 6


def test_a_table_of_addresses_is_evaluated(
    web: LoopbackWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetched once, into the cache; another model meets the same pairs."""
    table = table_of(web, tmp_path, monkeypatch)
    first = evaluate("planted/cedar", tmp_path / "one", pairs=6, pairs_from=str(table))
    asked = sum(web.asked.values())
    second = evaluate("planted/alder-1", tmp_path / "two", pairs=6, pairs_from=str(table))
    assert sum(web.asked.values()) == asked
    ids = [bundle.pairs["pair_id"].to_pylist() for bundle in (first, second)]
    assert ids[0] == ids[1]
    assert all(url.startswith("http://h") for url in first.pairs["url"].to_pylist())
    more = evaluate("planted/cedar", tmp_path / "three", pairs=10, pairs_from=str(table))
    assert set(ids[0]) <= set(more.pairs["pair_id"].to_pylist())


def _sampled(source: Path, out: Path, port: int) -> None:
    """What is killed."""
    from blindspots_hub.data.fetching.limits import FetchLimits
    from blindspots_hub.data.fetching.network import Reach

    for module in (blocks, sample):
        module.BLOCK = 8  # type: ignore[attr-defined]
    limits = FetchLimits(wait_seconds=0.01, connections=8, in_flight=16, total_seconds=60.0)
    web = Web(limits, Names(), Reach([("127.0.0.1", port)]))
    drive(sample.sampling(source, out, 30, web=web))


@pytest.fixture(scope="module")
def server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["blindspots_hub.data.sampling.sample"])
    return context


@pytest.mark.parametrize("wanted", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_change_nothing(
    server: ForkServerContext, web: LoopbackWeb, tmp_path: Path, wanted: int
) -> None:
    table = tmp_path / "table.parquet"
    table.write_bytes(laion(web, 0, 90))
    slow = web.site
    web.site = lambda path, before: iter([0.01, slow(path, before)])  # type: ignore[list-item]

    def start(out: Path):  # type: ignore[no-untyped-def]
        process = server.Process(target=_sampled, args=(table, out, web.port))
        process.start()
        return process

    def content(out: Path) -> dict[str, bytes]:
        return {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in sorted(out.rglob("*.*"))
            if path.is_file() and not path.name.endswith(".lock")
        }

    whole = start(tmp_path / "whole")
    whole.join()
    assert whole.exitcode == 0
    expected = content(tmp_path / "whole")
    assert len(expected) > 5
    dice, kills, halfway = random.Random(wanted), 0, Counter[str]()
    while kills < wanted:
        out = tmp_path / f"killed-{kills}"
        while True:
            before = len(list(out.glob("attempts/*.parquet")))
            process = start(out)
            if kills < wanted:
                while process.is_alive() and len(list(out.glob("attempts/0*"))) <= before:
                    process.join(0.002)
                process.join(dice.uniform(0, 0.05))
                process.kill()
            process.join()
            if process.exitcode == 0:
                break
            kills += 1
            halfway["yes"] += (out / "attempts").is_dir()
        assert content(out) == expected
    assert halfway["yes"] >= wanted // 2
