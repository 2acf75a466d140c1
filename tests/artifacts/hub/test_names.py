"""What is published under which name: versions, references, locks, the published form."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hub_fixtures import SHA, contents
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.repos import (
    KINDS,
    Reference,
    Version,
    looks_like_reference,
)
from blindspots_hub.artifacts.hub.staging import NATURAL_IMAGES, staging
from blindspots_hub.artifacts.layout import MANIFEST, NATURAL, table_path
from blindspots_hub.artifacts.schema import PAIRS, THUMBNAILS
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.utils.files import read_json


@given(
    st.builds(Version, *[st.integers(0, 300)] * 3), st.builds(Version, *[st.integers(0, 300)] * 3)
)
def test_versions_are_read_back_and_ordered_as_numbers(one: Version, two: Version) -> None:
    assert Version.parse(str(one)) == Version.parse(one.tag) == Version.of_tag(one.tag) == one
    as_numbers = [tuple(map(int, str(v).split("."))) for v in (one, two)]
    assert (one < two) == (as_numbers[0] < as_numbers[1])


@pytest.mark.parametrize("text", ["1.0", "1.0.0-rc1", "01.0.0", "v", "", "main", "1.0.0 ", "१.०.०"])
def test_other_versions_are_refused(text: str) -> None:
    with pytest.raises(BlindspotsError, match="three numbers"):
        Version.parse(text)
    assert Version.of_tag(f"v{text}") is None


@pytest.mark.parametrize("at", ["", "@1.2.0", f"@{SHA}"])
def test_references_are_read_back(at: str) -> None:
    reference = Reference.parse(f"lab/Bird_feeders.2{at}")
    assert str(reference) == f"lab/Bird_feeders.2{at}"
    assert Reference.parse("lab/b@v1.2.0") == Reference.parse("lab/b@1.2.0")
    assert [r.id for r in reference.repos(KINDS)][-1] == "lab/Bird_feeders.2"


@pytest.mark.parametrize(
    "text",
    ["lab", "lab/", "/b", "a/b/c", "lab/b@", "lab/b@latest", "lab/b@" + SHA[:-1], "../b", "lab/..",
     "lab/b--c", "lab/-b", "lab/b.git", "lab/b-", "l ab/b", "lab/" + "b" * 90, "lab/b\n"],
)  # fmt: skip
def test_what_is_no_reference_is_told(text: str) -> None:
    with pytest.raises(BlindspotsError):
        Reference.parse(text)


def test_a_folder_is_a_folder_and_a_path_never_a_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert looks_like_reference("runs/mine")
    assert not looks_like_reference(Path("runs/mine"))
    assert not looks_like_reference("./mine")
    (tmp_path / "runs/mine").mkdir(parents=True)
    assert not looks_like_reference("runs/mine")


# Locks


LOCKED = Lock("lab/b", Version(1, 2, 0), "a" * 64, {"deltas": SHA, "sae": SHA[::-1], "space": SHA})


def test_a_lock_is_read_back() -> None:
    assert Lock.parse(LOCKED.to_bytes(), "it") == LOCKED
    assert [r.id for r in LOCKED.repos] == ["lab/b-deltas", "lab/b-sae", "lab/b"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SHA, SHA[:12]),
        ('"deltas"', '"elsewhere"'),
        ('"lab/b-sae"', '"evil/other"'),
        ('"lab/b"', '"../b"'),
        ('"1.2.0"', '"1.2"'),
        ('"model"', '"dataset"'),
        ("{", "["),
        ('"lock_version": 1', '"lock_version": 2'),
    ],
)
def test_a_lock_that_says_something_else_is_refused(old: str, new: str) -> None:
    content = LOCKED.to_bytes().decode()
    assert old in content
    with pytest.raises(BlindspotsError, match=r"^bundle\.lock\.json of x "):
        Lock.parse(content.replace(old, new).encode(), "bundle.lock.json of x")


# The published form


@pytest.mark.parametrize("rule", NATURAL_IMAGES)
def test_natural_images_from_the_web_are_published_by_rule(
    birds: Path, tmp_path: Path, rule: str
) -> None:
    before = contents(birds)
    version = Version(2, 0, 0)
    staged = drive(staging(load_bundle(birds), "other", version, rule, tmp_path / "staged"))
    assert faults(staged) == []
    assert contents(birds) == before
    manifest = read_json(staged / MANIFEST)
    assert (manifest["name"], manifest["version"]) == ("other", "2.0.0")

    pairs = pq.read_table(table_path(staged, PAIRS)).to_pylist()
    source = pq.read_table(table_path(birds, PAIRS)).to_pylist()
    assert [{**p, "image": None} for p in pairs] == [{**p, "image": None} for p in source]
    for pair, was in zip(pairs, source, strict=True):
        dropped = rule != "all" and pair["url"] is not None
        assert pair["image"] == (None if dropped else was["image"])
        assert was["image"] is not None

    from_web = {pair["pair_id"] for pair in pairs if pair["url"]}
    old, new = (pq.read_table(table_path(root, THUMBNAILS)).to_pylist() for root in (birds, staged))
    kept = [t for t in old if t["source"] != NATURAL or t["pair_id"] not in from_web]
    assert len(kept) < len(old)
    assert new == (kept if rule == "none" else old)

    again = drive(staging(load_bundle(birds), "other", version, rule, tmp_path / "again"))
    assert (again / MANIFEST).read_bytes() == (staged / MANIFEST).read_bytes()


def test_an_unknown_rule_is_told(birds: Path, tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match="all, thumbnails, none"):
        drive(staging(load_bundle(birds), "b", Version(1, 0, 0), "some", tmp_path / "x"))
