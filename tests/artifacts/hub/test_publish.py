"""Publishing: the repositories, versions, collection and pull requests that come of a bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hub_fixtures import PARTS, WRITES, repo, restate, write_publishable
from huggingface_hub import HfApi
from local_hub import Hub

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.plan import ADDED, CHANGED, DELETED, UNCHANGED
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.repos import KINDS, Reference
from blindspots_hub.artifacts.hub.versions import versions
from blindspots_hub.artifacts.layout import LOCK, MANIFEST
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive
from blindspots_hub.utils.files import read_json, write_json

QUALITY = '{"r2": 0.5, "l0": 5.0, "dead_share": 0.1}'


def test_a_version_is_content_then_lock_then_tag(hub: Hub, bundle: Path) -> None:
    done = push(bundle, hub.owner, "1.0.0")
    assert not done.already
    lock = done.lock
    assert lock is not None
    for part in PARTS:
        there = repo(hub, part)
        history = [commit.sha for commit in there.commits()]
        assert len(history) == 3  # the Hub's own first one, the content, the lock
        assert lock.commits[part] == history[1]
        assert there.tags == {"v1.0.0": history[0]}
        assert there.read(LOCK) == lock.to_bytes()
        assert LOCK not in there.paths(history[1])
        assert there.read("README.md").startswith(b"---\n")
        assert hashlib.sha256(there.read(MANIFEST)).hexdigest() == lock.manifest_sha256
    assert {"config.json", "model.safetensors"} <= set(repo(hub, "sae").paths())
    # A later card cites the commits before it, so that whoever reads it finds those very files.
    assert lock.commits["deltas"].encode() in repo(hub, "sae").read("README.md")
    (collection,) = HfApi().list_collections(owner=hub.owner)
    assert collection.title == "birds"
    assert len(HfApi().get_collection(collection.slug).items) == len(PARTS)
    assert done.collection == collection.url


def test_the_space_comes_last_and_names_the_others(hub: Hub, bundle: Path) -> None:
    def files(lock: Lock) -> dict[str, bytes]:
        return {"app.py": b"print()", "README.md": lock.commits["deltas"].encode(), LOCK: b"{}"}

    planned = push(bundle, hub.owner, "1.0.0", space=files, dry_run=True)
    assert planned.plans[-1].repo.kind == "space"
    lock = push(bundle, hub.owner, "1.0.0", space=files).lock
    assert lock is not None
    there = hub.server.repo("space", f"{hub.owner}/birds")
    assert there.read("README.md") == lock.commits["deltas"].encode()
    assert there.read(LOCK) == lock.to_bytes()
    assert there.commits()[1].sha == lock.commits["space"]
    assert there.tags == {"v1.0.0": there.head}
    assert repo(hub, "deltas").read(LOCK) == lock.to_bytes()
    assert push(bundle, hub.owner, "1.0.0", space=files).already
    assert push(bundle, hub.owner, "1.0.0").already


def test_a_second_push_changes_nothing(hub: Hub, bundle: Path) -> None:
    first = push(bundle, hub.owner, "1.0.0")
    with hub.recorded() as asked:
        again = push(bundle, hub.owner, "1.0.0")
    assert again.already
    assert again.lock == first.lock
    assert not [r for r in asked if r.route in WRITES]
    assert push(bundle, hub.owner, "1.0.0", dry_run=True).already


def test_a_dry_run_lists_everything_and_writes_nothing(hub: Hub, bundle: Path) -> None:
    with hub.recorded() as asked:
        planned = push(bundle, hub.owner, "1.0.0", dry_run=True)
    assert planned.lock is None
    assert {r.method for r in asked} <= {"GET", "HEAD"}
    assert not [key for key in hub.server.repos if key[1].startswith(f"{hub.owner}/")]
    named = [(plan.repo.part, change.path) for plan in planned.plans for change in plan.changes]
    files = [tuple(name.split("/", 1)) for name in read_json(bundle / MANIFEST)["files"]]
    assert set(files) <= set(named)
    assert all(c.kind == ADDED for plan in planned.plans for c in plan.changes)
    assert (
        sum(plan.bytes for plan in planned.plans)
        > sum(entry["bytes"] for entry in read_json(bundle / MANIFEST)["files"].values()) / 2
    )

    push(bundle, hub.owner, "1.0.0")
    changed = write_publishable(bundle.parent / "next", seed=1)
    (changed / "sae/config.json").write_bytes((bundle / "sae/config.json").read_bytes())
    (changed / "sae/quality.json").write_text(QUALITY)
    restate(changed)
    with hub.recorded() as asked:
        planned = push(changed, hub.owner, "1.1.0", dry_run=True)
    assert {r.method for r in asked} <= {"GET", "HEAD"}
    sae = {c.path: c.kind for c in planned.plans[-1].changes}
    assert sae == {
        "README.md": CHANGED,
        "bundle.json": CHANGED,
        "config.json": UNCHANGED,
        "model.safetensors": CHANGED,
        "quality.json": ADDED,
    }


def test_versions_side_by_side_share_what_did_not_change(hub: Hub, bundle: Path) -> None:
    one = push(bundle, hub.owner, "1.0.0").lock
    path = bundle / "sae/quality.json"
    path.write_text(QUALITY)
    restate(bundle)
    with hub.recorded() as asked:
        two = push(bundle, hub.owner, "1.1.0").lock
    assert one is not None
    assert two is not None
    assert not [r for r in asked if r.route == "lfs.upload"], "large files are there already"
    for part in PARTS:
        assert LOCK not in repo(hub, part).paths(two.commits[part]), "a lock is of one version"
    path.unlink()
    restate(bundle)
    three = push(bundle, hub.owner, "2.0.0")
    assert [c.kind for c in three.plans[-1].changes if c.path == "quality.json"] == [DELETED]
    assert "quality.json" in repo(hub, "sae").paths("v1.1.0")
    assert "quality.json" not in repo(hub, "sae").paths("v2.0.0")
    listed = drive(versions.stream(Reference(hub.owner, "birds")))
    assert [str(v.version) for v in listed] == ["1.0.0", "1.1.0", "2.0.0"]
    assert not any(v.faults for v in listed)
    assert [{r.part: c for r, c in v.contents.items()} for v in listed[:2]] == [
        one.commits,
        two.commits,
    ]


def test_a_version_is_published_once(hub: Hub, bundle: Path) -> None:
    push(bundle, hub.owner, "1.0.0")
    other = write_publishable(bundle.parent / "other", seed=1)
    with hub.recorded() as asked, pytest.raises(BlindspotsError, match=r"1\.0\.0 is taken"):
        push(other, hub.owner, "1.0.0")
    with pytest.raises(BlindspotsError, match=r"published as 1\.0\.0 already"):
        push(other, hub.owner, "0.9.0")
    assert not [r for r in asked if r.route in WRITES]


def test_names_rights_and_foreign_repositories_are_checked_first(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.server.add_user("ben")
    hub.server.add_org("lab-read", **{hub.owner: "read"})
    readonly = hub.server.token(hub.owner, "read")
    hub.server.add_user(hub.owner)
    with hub.recorded() as asked:
        with pytest.raises(BlindspotsError, match="is not ben and no member"):
            push(bundle, "ben", "1.0.0")
        with pytest.raises(BlindspotsError, match="may only read in lab-read"):
            push(bundle, "lab-read", "1.0.0")
        with pytest.raises(BlindspotsError, match="may only read"):
            push(bundle, hub.owner, "1.0.0", token=readonly)
        with pytest.raises(BlindspotsError, match="does not accept the token") as told:
            push(bundle, hub.owner, "1.0.0", token="hf_nosuchtokenatall")
        assert "hf_nosuch" not in str(told.value)
        with pytest.raises(BlindspotsError, match="three numbers"):
            push(bundle, hub.owner, "latest")
        with pytest.raises(BlindspotsError, match="name of a bundle"):
            push(bundle, hub.owner, "1.0.0", name="a b")
        with monkeypatch.context() as without:
            without.delenv("HF_TOKEN")
            with pytest.raises(BlindspotsError, match="hf auth login"):
                push(bundle, hub.owner, "1.0.0")
            without.setenv("HF_TOKEN", "hf_ä")
            with pytest.raises(BlindspotsError, match="does not accept the token"):
                push(bundle, hub.owner, "1.0.0")
        with pytest.raises(BlindspotsError, match="is missing"):
            push(bundle / MANIFEST, hub.owner, "1.0.0")
        (bundle / "pairs/pairs.parquet").write_bytes(b"")
        with pytest.raises(BlindspotsError, match="not a whole bundle"):
            push(bundle, hub.owner, "1.0.0")
    assert not [r for r in asked if r.route in WRITES]


def test_a_repository_of_something_else_is_never_emptied(hub: Hub, bundle: Path) -> None:
    api = HfApi()
    api.create_repo(f"{hub.owner}/birds-deltas", repo_type="dataset")
    api.upload_file(
        path_or_fileobj=b"years of work",
        path_in_repo="notes.txt",
        repo_id=f"{hub.owner}/birds-deltas",
        repo_type="dataset",
    )
    with hub.recorded() as asked:
        with pytest.raises(BlindspotsError, match="holds something else than a bundle"):
            push(bundle, hub.owner, "1.0.0")
        with pytest.raises(BlindspotsError, match="holds something else than a bundle"):
            push(bundle, hub.owner, "1.0.0", dry_run=True)
    assert not [r for r in asked if r.route in WRITES]


def test_an_organisations_private_bundle(hub: Hub, bundle: Path) -> None:
    org = f"lab-of-{hub.owner}"
    hub.server.add_org(org, **{hub.owner: "write"})
    push(bundle, org, "1.0.0", name="hidden", private=True)
    assert all(hub.server.repo(kind, f"{org}/hidden-{part}").private
               for part, kind in KINDS.items() if part in PARTS)  # fmt: skip
    assert load_bundle(f"{org}/hidden@1.0.0").name == "hidden"


def test_pull_requests_are_proposed_once_merged_and_finished(hub: Hub, bundle: Path) -> None:
    push(bundle, hub.owner, "1.0.0")
    path = bundle / "sae/quality.json"
    path.write_text(QUALITY)
    restate(bundle)
    guest = hub.server.add_user(f"guest-of-{hub.owner}")
    heads = {part: repo(hub, part).head for part in PARTS}
    proposed = push(bundle, hub.owner, "1.1.0", create_pr=True, token=guest)
    assert len(proposed.pull_requests) == len(PARTS)
    assert proposed.lock is None
    assert push(bundle, hub.owner, "1.1.0", create_pr=True, token=guest).pull_requests == (
        proposed.pull_requests
    )
    assert {part: repo(hub, part).head for part in PARTS} == heads
    assert all(set(repo(hub, part).tags) == {"v1.0.0"} for part in PARTS)
    for part in PARTS:
        there = Reference(hub.owner, "birds").repo(part)
        number = int(proposed.pull_requests[PARTS.index(part)].rsplit("/", 1)[-1])
        HfApi().merge_pull_request(there.id, number, repo_type=there.kind)
    with hub.recorded() as asked:
        push(bundle, hub.owner, "1.1.0")
    assert not [r for r in asked if r.route == "lfs.upload"]
    assert "quality.json" in repo(hub, "sae").paths("v1.1.0")


@pytest.mark.parametrize(
    "path", ["/home/anna/dino", "~/dino", "C:\\Users\\anna\\dino", "\\\\server\\anna", "file:///a"]
)
def test_no_path_of_the_publishers_machine_is_published(hub: Hub, bundle: Path, path: str) -> None:
    manifest = read_json(bundle / MANIFEST)
    space, models = manifest["concept_space"], manifest["models"]
    with hub.recorded() as asked:
        restate(bundle, concept_space={**space, "backbone": {"source": path}})
        with pytest.raises(BlindspotsError, match=r"bundle\.json names .*backbone\.source"):
            push(bundle, hub.owner, "1.0.0")
        joined = {**models[0], "run": {"joined": {"unet": [path]}}}
        restate(bundle, concept_space=space, models=[joined, *models[1:]])
        with pytest.raises(BlindspotsError, match=r"models\.plain-a\.run\.joined\.unet\.0"):
            push(bundle, hub.owner, "1.0.0")
        config = read_json(bundle / "sae/config.json")
        write_json(bundle / "sae/config.json", {**config, "backbone": path})
        restate(bundle, concept_space=space, models=models)
        with pytest.raises(BlindspotsError, match=r"sae/config\.json names .* as backbone"):
            push(bundle, hub.owner, "1.0.0")
    assert not asked
