"""What goes wrong while a bundle is fetched: it is made good, or refused in one sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_fixtures import contents, no_waiting, opened_whole, shared_bundle
from hub_server import faults as broken
from local_hub import Hub

from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.hub.fetch import pull
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.repos import Reference
from blindspots_hub.artifacts.hub.versions import versions
from blindspots_hub.artifacts.layout import LOCK, MANIFEST
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    no_waiting(monkeypatch)


@pytest.mark.parametrize(
    "fault",
    [
        broken.Status(route="refs"),
        broken.Status(route="download.*"),
        broken.CutDownload(sent=100),
        broken.CorruptDownload(path="*concepts.parquet"),
        broken.CorruptDownload(path="*bundle.json"),
    ],
    ids=lambda fault: f"{type(fault).__name__}-{fault.route}",
)
@pytest.mark.parametrize("way", ["open", "pull"])
def test_a_download_that_fails_once_is_made_again(
    hub: Hub, fault: broken.Fault, way: str, tmp_path: Path
) -> None:
    source, name = shared_bundle(hub)
    armed = hub.server.fail(fault)
    reference = f"{name}@1.0.0"
    root = pull(reference, tmp_path / "out") if way == "pull" else opened_whole(reference)
    assert armed.struck == 1
    assert contents(root) == contents(source)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (broken.CorruptDownload(path="*concepts.parquet"), "is not what was published"),
        (broken.CorruptDownload(path="*bundle.json"), "is not what was published"),
        (broken.CorruptDownload(path="*bundle.lock.json"), "lock"),
        (broken.Status(route="download.*", status=404, message="gone"), "cannot be"),
    ],
    ids=["table", "manifest", "lock", "missing"],
)
@pytest.mark.parametrize("way", ["open", "pull"])
def test_a_download_that_stays_wrong_is_refused(
    hub: Hub, fault: broken.Fault, told: str, way: str, tmp_path: Path
) -> None:
    _, name = shared_bundle(hub)
    reference, out = f"{name}@1.0.0", tmp_path / "out"
    hub.server.fail(fault, times=None)
    with pytest.raises(BlindspotsError, match=told):
        pull(reference, out) if way == "pull" else load_bundle(reference)
    assert not (out / MANIFEST).exists()
    hub.server.heal()
    if told != "lock":  # that one was kept, and is refused until it is fetched anew
        pull(reference, out)
        assert load_bundle(out).version == "1.0.0"


def test_a_gated_bundle_is_told(hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(bundle, hub.owner, "1.0.0")
    for part in ("deltas", "sae"):
        repo = Reference(hub.owner, "birds").repo(part)
        hub.server.repo(repo.kind, repo.id).gated = "auto"
    monkeypatch.setenv("HF_TOKEN", hub.server.add_user(f"guest-of-{hub.owner}"))
    with pytest.raises(BlindspotsError, match="terms accepted first"):
        load_bundle(f"{hub.owner}/birds@1.0.0")


def test_a_file_that_vanished_is_told(hub: Hub, bundle: Path) -> None:
    push(bundle, hub.owner, "1.0.0")
    opened = load_bundle(f"{hub.owner}/birds@1.0.0")
    del hub.server.repos["model", f"{hub.owner}/birds-sae"]
    with pytest.raises(BlindspotsError, match=r"of the model .*-sae cannot be fetched"):
        opened.require("sae")
    assert not (opened.root / "sae").exists(), "a part is there whole or not at all"
    (listed,) = drive(versions.stream(Reference(hub.owner, "birds")))
    assert listed.faults == (f"{hub.owner}/birds-sae is gone",)


def _full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("where", "full"),
    [
        ("blindspots_hub.artifacts.hub.transfer.shutil.disk_usage", lambda _: _Free()),
        ("huggingface_hub.file_download.http_get", _full),
        ("blindspots_hub.utils.files.os.replace", _full),
    ],
    ids=["before", "download", "write"],
)
@pytest.mark.parametrize("way", ["open", "pull"])
def test_a_full_disk_is_told_and_goes_on_later(
    hub: Hub,
    tmp_path: Path,
    where: str,
    full: Callable[..., Any],
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, name = shared_bundle(hub)
    reference, out = f"{name}@1.0.0", tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(where, full)
        with pytest.raises(BlindspotsError, match=r"disk is full|free some space"):
            pull(reference, out) if way == "pull" else load_bundle(reference)
    assert not (out / MANIFEST).exists()
    assert contents(pull(reference, out)) == contents(source)
    assert load_bundle(reference).version == "1.0.0"


class _Free:
    free = 10


def test_a_manifest_that_leads_out_of_the_bundle_writes_nothing(
    hub: Hub, bundle: Path, tmp_path: Path
) -> None:
    import hashlib

    from blindspots_hub.artifacts.hub.lock import Lock
    from blindspots_hub.utils.files import json_bytes, read_json

    lock = push(bundle, hub.owner, "1.0.0").lock
    assert lock is not None
    manifest = read_json(bundle / MANIFEST)
    manifest["files"]["deltas/../../evil"] = {"sha256": "0" * 64, "bytes": 1}
    content = json_bytes(manifest)
    deltas = hub.server.repo("dataset", f"{hub.owner}/birds-deltas")
    evil = deltas.write({MANIFEST: content, "../evil": b"x"})
    bad = Lock(lock.bundle, lock.version, hashlib.sha256(content).hexdigest(),
               {**lock.commits, "deltas": evil})  # fmt: skip
    commit = deltas.write({LOCK: bad.to_bytes()})
    for way in (
        lambda: pull(f"{hub.owner}/birds@{commit}", tmp_path / "in" / "out"),
        lambda: load_bundle(f"{hub.owner}/birds@{commit}"),
    ):
        with pytest.raises(BlindspotsError, match="lies outside the bundle"):
            way()
    assert not (tmp_path / "in").exists()
