"""Settings that every test runs under: no network, few threads, repeatable properties.

The Hub's clients read where it is when they are imported, so one Hub of the tests' own is started
here, before anything imports them. They are offline nevertheless: a test that wants the Hub asks
for the fixture `hub`.
"""

from __future__ import annotations

import atexit
import itertools
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from hub_server.wire import Logged
from hypothesis import settings

# pytest names this module tests.conftest: who imports `conftest` gets it, not a second one that
# starts a second Hub.
sys.modules.setdefault("conftest", sys.modules[__name__])

_FOLDER = Path(tempfile.mkdtemp(prefix="blindspots-tests-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
_SERVER = HubServer(_FOLDER / "hub").__enter__()
atexit.register(_SERVER.__exit__, None, None, None)

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: threads cost more than they give
os.environ["HF_ENDPOINT"] = _SERVER.endpoint
os.environ["HF_HOME"] = str(_FOLDER / "huggingface")  # nobody's own cache, nobody's own token
os.environ["HF_DATASETS_CACHE"] = str(_FOLDER / "datasets")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_XET"] = "1"  # large files by LFS, which the tests' Hub speaks
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
for _name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
    os.environ.pop(_name, None)

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


@dataclass
class Hub:
    """The tests' Hub with an owner of this test's own, who is logged in.

    Attributes:
        server: the server: repositories, faults, the log of requests.
        owner: a user that nobody has used before; the token of the environment is theirs.
        token: that token; it writes.
        cache: the clients' cache, empty.
    """

    server: HubServer
    owner: str
    token: str
    cache: Path

    @property
    def endpoint(self) -> str:
        return self.server.endpoint

    def recorded(self) -> AbstractContextManager[list[Logged]]:
        """The requests made while the block lasts, but for what others write.

        Clients that an earlier test interrupted may still be sending what they had begun.
        """
        others = re.compile(rf"/ana-(?!{self.owner.removeprefix('ana-')}/)\d+/")
        return self.server.recorded(
            lambda logged: logged.method in ("GET", "HEAD") or not others.search(logged.path)
        )


_OWNERS = itertools.count(1)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The tests' Hub, reachable, for clients in this process and in processes it starts."""
    from huggingface_hub import constants

    owner = f"ana-{next(_OWNERS)}"
    home = tmp_path / "hf-home"
    hub = Hub(_SERVER, owner, _SERVER.add_user(owner), home / "hub")
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setenv("HF_TOKEN", hub.token)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub.cache))
    if "datasets.config" in sys.modules:  # has its own copy; not worth an import
        monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    yield hub
    _SERVER.heal()
    broken, _SERVER.broken = _SERVER.broken, []
    assert not broken, broken[0]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """torch has `count` threads while the block lasts."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For networks this small, whose threads only wait for each other on a busy machine."""
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that is worth publishing; no test changes it."""
    from hub_fixtures import write_publishable  # imports this module

    return write_publishable(tmp_path_factory.mktemp("bundle") / "birds")


@pytest.fixture
def bundle(birds: Path, tmp_path: Path) -> Path:
    """The same, for one test to change."""
    return Path(shutil.copytree(birds, tmp_path / "mine"))
