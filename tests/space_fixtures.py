"""A published bundle to make Spaces of, and an environment as clean as a Space's."""

from __future__ import annotations

import subprocess
import venv
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.repos import KINDS, SPACE, Version


def a_lock(bundle: str = "ana/pans", space: bool = False) -> Lock:
    """The lock of a bundle with all its parts, whose commits nobody made."""
    parts = [part for part in KINDS if space or part != SPACE]
    commits = {part: f"{number:040x}" for number, part in enumerate(parts, 1)}
    return Lock(bundle, Version(1, 2, 0), "0" * 64, commits)


def clean_environment(folder: Path, requirements: Path) -> Path:
    """A new environment with a Space's requirements; its Python.

    Torch, which ZeroGPU brings, is that of the running environment, by links to it and to what it
    needs: nobody downloads gigabytes of CUDA for a test.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    target = Path(where.stdout.strip())
    for distribution in _needed_by("torch", {}).values():
        for name in {Path(str(file)).parts[0] for file in distribution.files or ()}:
            source = Path(str(distribution.locate_file(name)))
            if name not in ("..", "__pycache__") and not (target / name).exists():
                (target / name).symlink_to(source)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "-r", requirements], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return python


def _needed_by(
    name: str, found: dict[str, metadata.Distribution]
) -> dict[str, metadata.Distribution]:
    """A distribution of this environment and everything that it needs, by name."""
    key = name.lower().replace("_", "-")
    if key in found:
        return found
    try:
        found[key] = metadata.distribution(name)
    except metadata.PackageNotFoundError:  # of another platform
        return found
    for text in found[key].requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            _needed_by(requirement.name, found)
    return found
