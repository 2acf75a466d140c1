"""Writing files so that a kill, a full disk or two writers never leave half a file."""

from __future__ import annotations

import difflib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError

_PARTIAL = ".partial"
"""Ending of a file that is being written."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` when the block ends well.

    The file is complete or absent, never half there. A full disk or a folder that cannot be
    written raises `BlindspotsError`; what stood at `path` before is untouched.
    """
    partial = partial_beside(path)
    try:
        _make_folder(path.parent)
        yield partial
        with open(partial, "rb") as handle:
            os.fsync(handle.fileno())
        os.chmod(partial, 0o644)  # safetensors writes 0600, which other users cannot read
        os.replace(partial, path)
    except OSError as error:
        if (refused := told_by_the_system(error, path)) is None:
            raise
        raise refused from error
    except Exception as error:
        # safetensors tells of a full disk in words alone.
        if type(error).__name__ != "SafetensorError" or not _says_full(error):
            raise
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise told_by_the_system(full, path) or error from error
    finally:
        if os.path.exists(partial):  # False where no path can have this name
            partial.unlink()


def partial_beside(path: Path) -> Path:
    """A hidden name beside `path` for what is being written, which `sweep` knows.

    No second writer of `path` gets the same, be it another thread of this process.
    """
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PARTIAL}")


def _says_full(error: Exception) -> bool:
    words = str(error).lower()
    return any(one in words for one in ("no space left", "quota", "file too large"))


def told_by_the_system(error: OSError, path: Path | None = None) -> BlindspotsError | None:
    """One sentence about what the disk or the system refuses (at `path`, or at the error's own).

    None where it refuses nothing, so that a fault of the program stays one.
    """
    where = error.filename if path is None else path
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return BlindspotsError(
            f"The disk is full{f' while writing {where}' if where else ''}: free some space and "
            "run the same command again; everything written so far is kept."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return BlindspotsError(
            f"{where or 'The output'} cannot be written ({error.strerror}): choose an output "
            "folder that you own."
        )
    if error.errno == errno.EISDIR:
        return BlindspotsError(f"{where} is a folder: name a file in it.")
    if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        return BlindspotsError(f"{where} is no usable path ({error.strerror}): choose another.")
    return None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # as in /proc: parents are there, and take no folder
        raise BlindspotsError(
            f"No folder can be made at {folder} ({error.strerror}): choose another output folder."
        ) from error


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left half written below `folder`.

    Only where no other process writes there.
    """
    for path in list(folder.rglob(f".*.*{_PARTIAL}")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_abandoned(folder: Path, pattern: str, older: float) -> list[Path]:
    """Remove folders that killed processes of this user left directly in `folder`.

    Those whose name matches `pattern` and that nobody has changed for `older` seconds. Returns what
    was removed.
    """
    removed = []
    for path in folder.glob(pattern):
        try:
            found = os.lstat(path)
        except OSError:
            continue  # another process was faster
        own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if stat.S_ISDIR(found.st_mode) and own and time.time() - found.st_mtime > older:
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    return removed


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic(path) as partial:
        partial.write_bytes(content)


def copy_files(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy files by their names below `source`, each atomically."""
    for name in names:
        with atomic(target / name) as partial:
            shutil.copyfile(source / name, partial, follow_symlinks=False)


def share_or_copy(source: Path, target: Path) -> None:
    """Make `target` a second name of the file `source` (a hard link), or a copy of it.

    Whoever looks finds a file and no link. Both names stand for one content, so neither is ever
    written in place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except (OSError, NotImplementedError):  # another disk, or a file system without hard links
        with atomic(target) as partial:
            shutil.copyfile(source, partial)


def replace_folder(new: Path, old: Path, without: Collection[str] = ()) -> None:
    """Let the folder `new` take the place of `old`, beside which it lies.

    What else lies in `old` under names that `new` does not have moves over, but for `without`.
    Until `new` has its name `old` stays whole beside it, hidden; what a kill in between leaves
    there, `restore_folder` brings back.
    """
    restore_folder(old, without)
    if old.is_dir():
        os.rename(old, _aside(old))
    os.rename(new, old)
    restore_folder(old, without)


def restore_folder(folder: Path, without: Collection[str] = ()) -> None:
    """End what a kill of `replace_folder` left undone: `folder` is there, with all its own."""
    aside = _aside(folder)
    if not aside.is_dir():
        return
    with suppress(FileNotFoundError):  # another process was faster
        if not folder.exists():
            os.rename(aside, folder)
            return
        for path in list(aside.iterdir()):
            if path.name not in without and not (folder / path.name).exists():
                os.rename(path, folder / path.name)
        shutil.rmtree(aside)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, atomically."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Canonical JSON: sorted keys, two spaces, UTF-8, a final newline."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a file that is missing or no JSON object raises `BlindspotsError`.

    So does one that holds NaN, numbers of thousands of digits or nesting without end, and a pipe or
    device in a file's place.
    """
    try:
        if path.exists() and not path.is_file():
            raise BlindspotsError(f"{path} is no file: fetch it again.")
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except (FileNotFoundError, NotADirectoryError):
        raise BlindspotsError(f"{path} is missing: check the folder's name.") from None
    except (PermissionError, IsADirectoryError) as error:
        raise BlindspotsError(
            f"{path} cannot be read ({error.strerror}): check whose it is, and the folder's name."
        ) from None
    except (ValueError, RecursionError) as error:
        told = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise BlindspotsError(f"{path} is not valid JSON ({told}): fetch it again.") from None
    if not isinstance(value, dict):
        raise BlindspotsError(f"{path} does not hold a JSON object: fetch it again.")
    return value


def near_name(path: str | Path) -> Path | None:
    """What lies where `path` would and is called nearly so: what was meant by a mistyped path."""
    path = Path(path).expanduser()
    try:
        names = [one.name for one in path.parent.iterdir() if not one.name.startswith(".")]
    except OSError:
        return None
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.8)
    return path.parent / near[0] if near else None


def printable(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8, as old archives unpack them, become signs."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # half a sign that JSON spelt
        return name.encode("utf-8", "replace").decode()


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def public_name(source: str | Path) -> str:
    """How records that may be published name a model: its Hub id, or its folder's or file's name.

    A path of this machine means nothing elsewhere, and tells who works here. The folder of a
    snapshot in the Hub's cache has the id of its repository.
    """
    folder = Path(source).expanduser()
    if folder.is_file():
        return printable(folder.name)
    if not folder.is_dir():
        return str(source)
    folder = folder.resolve()
    kind, _, name = folder.parent.parent.name.partition("--")
    if folder.parent.name == "snapshots" and kind in ("models", "datasets") and name:
        return name.replace("--", "/")
    return printable(folder.name)


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Hex sha256 of a JSON-able value: the identity of a configuration."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
