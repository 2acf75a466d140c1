"""Two writers at once: one wins, the other is told, and no version is mixed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_fixtures import MODELS, PARTS, contents, opened_whole, repo, write_publishable
from hub_server import faults as broken
from local_hub import Hub

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub.publish import Published, push
from blindspots_hub.artifacts.hub.repos import Reference
from blindspots_hub.artifacts.hub.versions import versions
from blindspots_hub.artifacts.layout import LOCK
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.utils.files import sha256_file


def test_of_two_writers_one_wins_and_the_other_is_told(hub: Hub, bundle: Path) -> None:
    """The other publishes all of its version between the first one's look and its commit."""
    other = write_publishable(bundle.parent / "other", seed=1)
    won: list[Published] = []
    theirs = broken.Meanwhile(
        route="commit",
        repo=f"dataset/{hub.owner}/birds-pairs",
        do=lambda: won.append(push(other, hub.owner, "1.0.0")),
    )
    hub.server.fail(theirs)
    with pytest.raises(BlindspotsError, match="Somebody else published to the dataset"):
        push(bundle, hub.owner, "1.0.0")
    assert won[0].lock is not None
    assert all(repo(hub, p).read(LOCK) == won[0].lock.to_bytes() for p in PARTS)
    assert contents(opened_whole(f"{hub.owner}/birds@1.0.0")) != contents(bundle)


@pytest.mark.parametrize(
    ("route", "strike"),
    [("repo.create", 2), ("commit", 2), ("commit", 5), ("tag.create", 0), ("tag.create", 2)],
)
def test_whenever_the_other_comes_in_no_version_is_mixed(
    hub: Hub, bundle: Path, route: str, strike: int
) -> None:
    other = write_publishable(bundle.parent / "other", seed=1)
    ended: list[str] = []
    seen = [0]

    def theirs() -> None:
        seen[0] += 1
        if seen[0] == strike + 1:
            hub.server.heal()
            try:
                push(other, hub.owner, "1.0.0")
                ended.append("won")
            except BlindspotsError as error:
                ended.append(str(error))

    hub.server.fail(broken.Meanwhile(route=route, do=theirs), times=None)
    try:
        push(bundle, hub.owner, "1.0.0")
        ended.append("won")
    except BlindspotsError as error:
        ended.append(str(error))
    if len(ended) == 2:
        assert ended.count("won") == 1, ended
    hub.server.heal()
    winner = opened_whole(f"{hub.owner}/birds@1.0.0")
    (listed,) = drive(versions.stream(Reference(hub.owner, "birds")))
    assert not listed.faults
    # Which of the two it is shows in the weights; everything else has to be of the same one.
    source = next(
        root for root in (bundle, other)
        if sha256_file(root / "sae/model.safetensors")
        == sha256_file(winner / "sae/model.safetensors")
    )  # fmt: skip
    mine = contents(source)
    assert {n: c for n, c in contents(winner).items() if n != "pairs/pairs.parquet"} == {
        n: c for n, c in mine.items() if n != "pairs/pairs.parquet"
    }


def test_two_threads_with_the_same_bundle_both_end_well(hub: Hub, bundle: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def attempt(_: int) -> Published | BlindspotsError:
        try:
            return push(bundle, hub.owner, "1.0.0")
        except BlindspotsError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(attempt, range(2)))
    assert any(isinstance(end, Published) for end in ends), ends
    again = push(bundle, hub.owner, "1.0.0")
    assert again.already
    (listed,) = drive(versions.stream(Reference(hub.owner, "birds")))
    assert not listed.faults
    assert set(load_bundle(f"{hub.owner}/birds").models) == set(MODELS)
