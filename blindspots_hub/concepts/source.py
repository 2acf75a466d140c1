"""Finding a model's files: in a folder, in the local Hub cache, or on the Hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.hub_errors import call_hub
from blindspots_hub.utils.hub_probe import hub_reachable

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def model_folder(
    source: str | Path,
    revision: str | None,
    needed: Sequence[str],
    allow: Sequence[str],
    token: str | bool | None = None,
) -> Path:
    """The local folder that holds the model `source`, fetched from the Hub where it must be.

    `source` is a folder or a Hub repo id. A repo whose `needed` files are in the local cache is
    taken from there without asking the network; otherwise the files matching `allow` are fetched.
    Raises `BlindspotsError` for a missing folder or file, an unknown repo or revision, and, within
    seconds, where no Hub can be reached.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        _all_there(folder, needed)
        return folder
    if isinstance(source, Path) or not _REPO_ID.fullmatch(source):
        raise BlindspotsError(
            f"{source} is neither a folder nor a Hub id (owner/name): check the name."
        )
    cached = _cached(source, revision, needed)
    if cached is not None:
        return cached
    if not hub_reachable():
        raise BlindspotsError(
            f"{source} is not in the local cache and the Hugging Face Hub cannot be reached: check "
            "the network (or HF_HUB_OFFLINE), or give a local folder."
        )
    folder = download(source, revision, allow, token)
    _all_there(folder, needed)
    return folder


def _all_there(folder: Path, needed: Sequence[str]) -> None:
    for name in needed:
        if not (folder / name).is_file():
            raise BlindspotsError(
                f"{folder} has no {name}: give a folder or a Hub repository that holds it."
            )


def _cached(repo_id: str, revision: str | None, needed: Sequence[str]) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repo_id, name, revision=revision) for name in needed]
    paths = [Path(path) for path in found if isinstance(path, str)]
    return paths[0].parent if len(paths) == len(needed) else None


def download(
    repo_id: str, revision: str | None, allow: Sequence[str], token: str | bool | None = None
) -> Path:
    """The folder of a Hub repository's files that match `allow`, fetched where they are not."""
    from huggingface_hub import snapshot_download

    return call_hub(
        lambda: Path(
            snapshot_download(repo_id, revision=revision, allow_patterns=list(allow), token=token)
        ),
        repo_id if revision is None else f"{repo_id} at {revision}",
    )


@contextmanager
def open_safetensors(path: Path) -> Iterator[Any]:
    """Open a safetensors file for reading; a damaged one raises `BlindspotsError`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as tensors:
            yield tensors
    except SafetensorError as error:
        raise BlindspotsError(f"{path} is damaged ({error}): fetch it again.") from None
