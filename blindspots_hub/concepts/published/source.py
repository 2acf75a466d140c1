"""Where the published pickle lies, and which threshold belongs to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub import paper
from blindspots_hub.concepts.source import model_folder
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import read_json

_CONFIG = "config.json"
_PICKLES = (".pth", ".pt")


@dataclass(frozen=True)
class PublishedFile:
    """A pickled model on this machine; `repo` and `revision` (a commit) if it is from the Hub."""

    path: Path
    repo: str | None = None
    revision: str | None = None


def locate(source: str | Path, revision: str | None = None) -> PublishedFile:
    """The pickle that `source` names: a file, a folder that holds it, or a Hub id.

    The authors' repository is read at the commit that the paper's constants were taken from, unless
    `revision` names another. Raises `BlindspotsError` where nothing or more than one file is found,
    and, within seconds, where no Hub can be reached.
    """
    path = Path(source).expanduser()
    if path.exists() or path.suffix in _PICKLES or isinstance(source, Path):
        if revision is not None:
            raise BlindspotsError(
                f"A revision names a commit on the Hub, and {source} is a local path: leave "
                "--revision out."
            )
        return PublishedFile(_local(path))
    if revision is None and source == paper.PUBLISHED_REPO:
        revision = paper.PUBLISHED_REVISION
    needed = (paper.PUBLISHED_FILE,)
    folder = model_folder(source, revision, needed=needed, allow=(*needed, _CONFIG))
    commit = folder.name if folder.parent.name == "snapshots" else None
    return PublishedFile(folder / paper.PUBLISHED_FILE, source, commit)


def _local(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise BlindspotsError(f"There is no file or folder {path}: check the path.")
    if (path / paper.PUBLISHED_FILE).is_file():
        return path / paper.PUBLISHED_FILE
    found = sorted(file for file in path.iterdir() if file.suffix in _PICKLES)
    if len(found) != 1:
        raise BlindspotsError(
            f"{path} holds {len(found)} .pth files and no {paper.PUBLISHED_FILE}: give the file "
            "itself."
        )
    return found[0]


def pick_threshold(
    given: float | None, path: Path, stored: float | None, is_published: bool
) -> tuple[float, str]:
    """The threshold of the codes, > 0, and where it comes from, in words.

    In this order: `given` by the user; `running_threshold` of the config.json beside the pickle
    `path`; `stored` in the pickle; the published one, if the pickle `is_published`. Raises
    `BlindspotsError` where there is none, because any guess would give other codes.
    """
    config = path.with_name(_CONFIG)
    beside = read_json(config).get("running_threshold") if config.is_file() else None
    if given is not None:
        if not 0 < given < math.inf:
            raise BlindspotsError(f"--threshold is {given}: give a positive number.")
        differs = beside is not None and beside != given
        other = f", instead of {beside!r} in the config.json beside the file" if differs else ""
        return given, f"given with the import{other}"
    if beside is not None:
        if type(beside) not in (int, float) or not 0 < beside < math.inf:
            raise BlindspotsError(
                f"{config} has running_threshold = {beside!r}, which is no positive number: "
                "correct it, or give --threshold."
            )
        return float(beside), "running_threshold of the config.json beside the file"
    if stored is not None:
        return stored, "running_threshold stored in the file"
    if is_published:
        return paper.PUBLISHED_THRESHOLD, (
            f"running_threshold of {paper.PUBLISHED_REPO}'s config.json, known by the file's sha256"
        )
    raise BlindspotsError(
        f"{path} holds no threshold, has no config.json with running_threshold beside it, and is "
        "not the published file: give --threshold, without which its codes are not defined."
    )
