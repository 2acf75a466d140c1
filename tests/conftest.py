"""Settings that every test runs under: no network, few threads, repeatable properties.

`local_hub` is imported before anything else: it starts the tests' own Hub and points the Hub's
clients at it. They are offline nevertheless: a test that wants the Hub asks for the fixture
`hub`.
"""

from __future__ import annotations

import itertools
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from local_hub import SERVER, Hub
from threads import torch_threads

_resolve = socket.getaddrinfo


def _resolve_this_machine_only(host: Any, *more: Any, **options: Any) -> Any:
    """No test reaches the public internet, whatever a library has in mind."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", "127.0.0.1", "0.0.0.0", "::1", socket.gethostname()):
        return _resolve(host, *more, **options)
    raise socket.gaierror(socket.EAI_NONAME, f"tests do not look up {name}")


socket.getaddrinfo = _resolve_this_machine_only

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


_OWNERS = itertools.count(1)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The tests' Hub, reachable, for clients in this process and in processes it starts."""
    from huggingface_hub import constants

    owner = f"ana-{next(_OWNERS)}"
    home = tmp_path / "hf-home"
    hub = Hub(SERVER, owner, SERVER.add_user(owner), home / "hub")
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("HF_TOKEN", hub.token)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub.cache))
    if "datasets.config" in sys.modules:  # has its own copy; not worth an import
        monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    yield hub
    SERVER.heal()
    broken, SERVER.broken = SERVER.broken, []
    assert not broken, broken[0]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For networks this small, whose threads only wait for each other on a busy machine."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that is worth publishing; no test changes it."""
    from hub_fixtures import write_publishable  # takes seconds: for who asks

    return write_publishable(tmp_path_factory.mktemp("bundle") / "birds")


@pytest.fixture
def bundle(birds: Path, tmp_path: Path) -> Path:
    """The same, for one test to change."""
    return Path(shutil.copytree(birds, tmp_path / "mine"))
