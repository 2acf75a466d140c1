"""The files of a diffusers pipeline: where they are, and whether they are whole and safe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.foreign import INDEX, SHARDS, SINGLE, check_foreign, own_code
from blindspots_hub.generation.models import PIPELINE_CLASSES
from blindspots_hub.utils.files import fingerprint, read_json, sha256_file
from blindspots_hub.utils.hub_probe import hub_reachable

T = TypeVar("T")

_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def local_first(source: str, attempt: Callable[[bool], T]) -> T:
    """Call `attempt(local_files_only)` on the cache, then, where that has it not, on the Hub.

    Raises `BlindspotsError`, within some 2 s, where the cache has it not and no Hub answers.
    """
    try:
        return attempt(True)
    except OSError:  # how huggingface_hub says that the cache lacks a file
        if not hub_reachable():
            raise BlindspotsError(
                f"{source} is neither a folder here nor in the cache, and the Hugging Face Hub "
                "cannot be reached: connect, or give the path of a diffusers folder."
            ) from None
    return attempt(False)


def snapshot_sha(folder: Path) -> str | None:
    """Commit sha of a folder in the Hub's cache (…/snapshots/<sha>[/part]), else None."""
    for path in (folder, folder.parent):
        if path.parent.name == "snapshots":
            return path.name
    return None


def revision_of(folder: Path) -> str:
    """What exactly lies in `folder`: its commit sha, or "sha256:…" over its files.

    Hidden files count for nothing. A folder that was trained on further has another revision.
    """
    sha = snapshot_sha(folder)
    if sha is not None:
        return sha
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    contents = {
        name.as_posix(): sha256_file(folder / name)
        for name in names
        if not any(part.startswith(".") for part in name.parts)
    }
    return f"sha256:{fingerprint(contents)}"


def check_safe(folder: Path, source: str) -> None:
    """Raise `BlindspotsError` where a pipeline brings code along, or weights only as a pickle.

    Also where its configurations name other code, quantisers, kernels or files elsewhere, or ask
    for more than its weights hold (`foreign`).
    """
    import diffusers

    check_foreign(folder, source)

    own = {cls.__module__.partition(".")[0] for cls in PIPELINE_CLASSES.values()}
    for name, library in _parts(folder):
        part = folder / name
        known = (
            library in ("diffusers", "transformers")
            or hasattr(diffusers.pipelines, library)
            or (library in sys.modules and library.partition(".")[0] in own)
        )
        if not known or (part / f"{library}.py").exists():
            raise own_code(source)
        files = [path.name for path in part.iterdir()] if part.is_dir() else []
        pickled = [file for file in files if file.endswith(_PICKLES)]
        if pickled and not any(file.endswith(".safetensors") for file in files):
            raise BlindspotsError(
                f"{source} has the weights of its {name} only as a pickle ({pickled[0]}), which "
                "could run code: load it where you trust it, save it again with save_pretrained, "
                "which writes safetensors, and give that folder."
            )


def missing_file(folder: Path) -> str | None:
    """A file that the pipeline in `folder` needs and lacks, relative to it; None if it is whole.

    Models (parts with a config.json) need safetensors, and every shard that their index names.
    """
    if (folder / "config.json").is_file():
        return None  # a flat layout: its parts have no folders, and diffusers knows the files
    for name, _ in _parts(folder):
        part = folder / name
        if not SINGLE.fullmatch(name):
            continue  # refused elsewhere; whether there is such a place is nobody's business
        if not part.is_dir():
            return f"{name}/"
        index = next(part.glob(SHARDS), None)
        if index is not None:
            named = read_json(index).get("weight_map", {})
            shards = {one for one in named.values() if isinstance(one, str)}
            shards = {one for one in shards if SINGLE.fullmatch(one)}
        elif (part / "config.json").is_file():
            shards = {path.name for path in part.glob("*.safetensors")}
        else:
            continue
        absent = [shard for shard in sorted(shards) if not (part / shard).is_file()]
        if absent or not shards:
            return f"{name}/{absent[0] if absent else '*.safetensors'}"
    return None


def _parts(folder: Path) -> Iterator[tuple[str, str]]:
    """(name, library) of every component that model_index.json lists and does not leave out."""
    for name, value in read_json(folder / INDEX).items():
        if not name.startswith("_") and isinstance(value, list) and len(value) == 2 and value[0]:
            yield name, str(value[0])
