"""The Hub that tests talk to, and the settings that point every client at it.

The Hub's clients read where it is when they are imported, so one Hub of the tests' own is started
when this module is: before anything imports them. It is a module of its own because pytest
imports every `conftest.py` under names of its own, and a second import would start a second Hub.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from hub_server import HubServer
from hub_server.wire import Logged

_FOLDER = Path(tempfile.mkdtemp(prefix="blindspots-tests-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
SERVER = HubServer(_FOLDER / "hub").__enter__()
atexit.register(SERVER.__exit__, None, None, None)

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: threads cost more than they give
os.environ["HF_ENDPOINT"] = SERVER.endpoint
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
