"""overcomplete in an environment and a process of its own, and the orders it is sent.

Its declared requirements would bring torchvision, timm, OpenCV, scikit-image and an older
matplotlib, none of which its training code imports. So the environment holds overcomplete and
einops without their requirements, and reads torch, numpy, scipy, scikit-learn and tqdm where the
running environment has them: nothing large is fetched, and both sides compute with the same torch.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from blindspots_hub.utils.cache import cache_folder
from blindspots_hub.utils.files import write_bytes

PINS = ("overcomplete==0.3.0", "einops==0.8.1")
"""The release that reads the published weights, and the one package more that training needs."""

_SHARED = ("torch", "numpy", "scipy", "sklearn", "tqdm")
_WORKER = Path(__file__).with_name("overcomplete_worker.py")
_INSTALL_SECONDS = 600


class NotInstalled(Exception):
    """overcomplete cannot be had on this machine; the message says why, for a row of the report."""


class Stopped(Exception):
    """overcomplete's process ended before it answered; the message holds its last words."""


def default_cache() -> Path:
    """Where the environment is kept between runs, in the user's cache folder."""
    return cache_folder("overcomplete")


def environment(cache: Path) -> Path:
    """The Python of an environment with overcomplete under `cache`, made if it is not there.

    Raises `NotInstalled` where it cannot be made: no network, no ensurepip, no permission.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = cache / f"{PINS[0].replace('==', '-')}-py{version}"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = home / "complete.json"
    try:
        if not complete.is_file():
            shutil.rmtree(home, ignore_errors=True)  # a kill left it half made
            cache.mkdir(parents=True, exist_ok=True)
            _call([sys.executable, "-m", "venv", str(home)])
            _call([str(python), "-m", "pip", "install", "--no-deps", "--no-input", *PINS])
            write_bytes(complete, json.dumps(PINS).encode())
        question = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = Path(_call([str(python), "-c", question]).strip())
        write_bytes(packages / "running.pth", "\n".join(_running_packages()).encode())
    except (OSError, subprocess.SubprocessError) as error:
        raise NotInstalled(f"overcomplete could not be installed ({_last_line(error)})") from None
    return python


def _running_packages() -> list[str]:
    """Folders of the running environment that torch and the others are imported from."""
    found = [importlib.util.find_spec(name) for name in _SHARED]
    return sorted({str(Path(spec.origin).parents[1]) for spec in found if spec and spec.origin})


def _call(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=_INSTALL_SECONDS
    )
    return done.stdout


def _last_line(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    lines = [line for line in str(said).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__


class Overcomplete:
    """overcomplete's process; a context manager that ends it.

    Methods raise `Stopped` where the process died, of too little memory for example.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        """`folder`: where its error output is kept, and arrays are exchanged."""
        self.folder = folder
        self._log = open(  # noqa: SIM115 - closed on leaving
            folder / "overcomplete.log", "w+", encoding="utf-8"
        )
        self._process = subprocess.Popen(
            [str(python), "-I", str(_WORKER)],  # isolated: this folder is no import path
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def order(self, do: str, **settings: Any) -> dict[str, Any]:
        """Have the process do one thing (see the worker), and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **settings}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            self._log.seek(0)
            said = _last_line(Exception(self._log.read()))
            raise Stopped(f"overcomplete's process ended with {code} ({said})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Overcomplete:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()
