"""What goes wrong on the way: each ends in one sentence or in a completed retry.

Whatever happens, no version is found that is not whole, and the same command run again ends as if
nothing had happened.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from hub_fixtures import PARTS, contents, no_waiting, opened_whole
from hub_server import faults as broken
from local_hub import Hub

from blindspots_hub.artifacts.hub.fetch import pull
from blindspots_hub.artifacts.hub.publish import push
from blindspots_hub.artifacts.hub.repos import Reference
from blindspots_hub.artifacts.hub.versions import versions
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import drive


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    no_waiting(monkeypatch)


def found(hub: Hub) -> list[str]:
    """The versions that a reference leads to."""
    from blindspots_hub.artifacts.hub.client import Hub as Client
    from blindspots_hub.artifacts.hub.versions import published_versions

    if ("dataset", f"{hub.owner}/birds-deltas") not in hub.server.repos:
        return []
    return [str(v) for v in published_versions(Client(), Reference(hub.owner, "birds"))]


def whole(hub: Hub, bundle: Path) -> None:
    """1.0.0 is there, whole, and holds this bundle."""
    (listed,) = drive(versions.stream(Reference(hub.owner, "birds")))
    assert not listed.faults
    opened = opened_whole(f"{hub.owner}/birds@1.0.0")
    mine = contents(bundle)
    assert {n: c for n, c in contents(opened).items() if n != "pairs/pairs.parquet"} == {
        n: c for n, c in mine.items() if n != "pairs/pairs.parquet"
    }


@pytest.mark.parametrize(
    "fault",
    [
        broken.Status(route="commit"),
        broken.Status(route="commit", status=429),
        broken.Status(route="tag.create", status=500),
        broken.Status(route="repo.create", status=502),
        broken.Status(route="preupload"),
        broken.CutUpload(route="commit", received=100),
        broken.CutUpload(route="lfs.upload", received=100),
        broken.LostAnswer(route="commit"),
        broken.LostAnswer(route="tag.create"),
        broken.LostAnswer(route="repo.create"),
        broken.Status(route="commit", status=412, message="A commit has happened since."),
    ],
    ids=lambda fault: f"{type(fault).__name__}-{fault.route}-{getattr(fault, 'status', '')}",
)
def test_what_passes_is_tried_again(hub: Hub, bundle: Path, fault: broken.Fault) -> None:
    armed = hub.server.fail(fault)
    push(bundle, hub.owner, "1.0.0")
    assert armed.struck == 1
    whole(hub, bundle)
    for part in PARTS:
        kind = Reference(hub.owner, "birds").repo(part)
        assert len(hub.server.repo(kind.kind, kind.id).commits()) == 3, "nothing was made twice"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (broken.Status(route="commit", repo="model/*"), "failed several times in a row"),
        (broken.Status(route="tag.create", repo="*-deltas"), "failed several times in a row"),
        (broken.Status(route="commit", status=403, repo="*-deltas"), "token does not allow it"),
        (broken.Status(route="commit", status=413, repo="*-pairs"), "too large"),
        (broken.Status(route="commit", status=418, message="teapot"), r"418 \(teapot\)"),
        (broken.CutUpload(route="lfs.upload", received=64, repo="model/*"), "Hub was cut"),
        (broken.DamagedUpload(repo="model/*"), "cannot be uploaded: the Hub answers 4"),
    ],
    ids=lambda value: getattr(value, "route", None),
)
def test_what_does_not_pass_is_told_and_leaves_no_version(
    hub: Hub, bundle: Path, fault: broken.Fault, told: str
) -> None:
    hub.server.fail(fault, times=None)
    with pytest.raises(BlindspotsError, match=told):
        push(bundle, hub.owner, "1.0.0")
    assert found(hub) == []
    hub.server.heal()
    push(bundle, hub.owner, "1.0.0")
    whole(hub, bundle)


def test_stopped_anywhere_and_run_again_it_is_as_if_never_stopped(hub: Hub, bundle: Path) -> None:
    """The generator is closed again and again, every time three events further than before."""
    seen: set[str] = set()
    runs = 0
    while True:
        work = push.stream(bundle, hub.owner, "1.0.0")
        new = 0
        for event in work:
            new += repr(event) not in seen
            seen.add(repr(event))
            if new == 3:
                break
        else:
            break
        work.close()
        runs += 1
        assert found(hub) in ([], ["1.0.0"])
    assert runs > 10
    push(bundle, hub.owner, "1.0.0")
    whole(hub, bundle)
    kinds = [Reference(hub.owner, "birds").repo(part) for part in PARTS]
    assert [len(hub.server.repo(r.kind, r.id).commits()) for r in kinds] == [3] * 4


@pytest.mark.parametrize("route", ["lfs.upload", "commit", "tag.create"])
def test_killed_in_the_middle_and_run_again(hub: Hub, bundle: Path, route: str) -> None:
    part = "-sae" if route != "tag.create" else "-generations"
    armed = hub.server.fail(broken.Slow(route=route, repo=f"*{part}", seconds=20), times=None)
    code = f"""
        from blindspots_hub.artifacts.hub.publish import push
        push({str(bundle)!r}, {hub.owner!r}, "1.0.0")
    """
    with hub.recorded() as asked:
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
        until = time.monotonic() + 60
        while not armed.struck and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert asked
    hub.server.heal()
    assert found(hub) == []
    push(bundle, hub.owner, "1.0.0")
    whole(hub, bundle)


def _full(*_: object, **__: object) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_while_preparing_publishes_nothing(
    hub: Hub, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub.recorded() as asked, monkeypatch.context() as full:
        full.setattr("blindspots_hub.utils.files.os.replace", _full)
        with pytest.raises(BlindspotsError, match="disk is full"):
            push(bundle, hub.owner, "1.0.0")
    assert {r.method for r in asked} <= {"GET", "HEAD"}
    push(bundle, hub.owner, "1.0.0")
    whole(hub, bundle)


def test_a_token_appears_nowhere(
    hub: Hub,
    bundle: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    work = push.stream(bundle, hub.owner, "1.0.0", token=hub.token)
    events = []
    for event in work:
        events.append(repr(event))
    out = pull(f"{hub.owner}/birds", tmp_path / "out", token=hub.token)
    said = [caplog.text, *events]
    message = f"the token {hub.token} may not"  # which the client itself logs, as it was sent
    hub.server.fail(broken.Status(route="repo.info", status=418, message=message), times=None)
    with pytest.raises(BlindspotsError) as told:
        push(bundle, hub.owner, "1.1.0", token=hub.token)
    written = capsys.readouterr()
    said += [written.out, written.err, str(told.value)]
    assert "hf_…" in str(told.value), "the Hub's own words are told, without the token"
    assert caplog.records
    assert not [text for text in said if hub.token in text]
    kept = [p for root in (out, hub.cache.parent) for p in root.rglob("*") if p.is_file()]
    assert kept
    assert not [p for p in kept if hub.token.encode() in p.read_bytes()]
    for repo in [r for (_, name), r in hub.server.repos.items() if name.startswith(hub.owner)]:
        assert not [p for p in repo.paths() if hub.token.encode() in repo.read(p)]
