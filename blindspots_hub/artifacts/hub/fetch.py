"""`pull` a published bundle into a folder, or open it by reference from the client's cache.

Commits, not tags, say what is fetched: the reference leads to a lock, the lock names a commit of
every repository, and the manifest that it names vouches for every file.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from blindspots_hub.artifacts.hub.client import Hub
from blindspots_hub.artifacts.hub.fetched import bundles_folder, folder_of, lock_in
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.repos import Reference
from blindspots_hub.artifacts.hub.transfer import bringing, read_manifest, wanted
from blindspots_hub.artifacts.hub.versions import resolve
from blindspots_hub.artifacts.inventory import regular_size
from blindspots_hub.artifacts.layout import (
    CARD,
    DELTAS_PART,
    LOCK,
    MANIFEST,
    PARTS,
    on_demand,
    part_of,
)
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.utils.files import sha256_file, write_bytes
from blindspots_hub.utils.folder_lock import only_one_run


@Call
def pull(
    reference: str,
    output_dir: str | Path,
    parts: Collection[str] = PARTS,
    *,
    token: str | None = None,
) -> Work[Path]:
    """Fetch a published bundle into the folder `output_dir`, and return it.

    `reference` is `NAMESPACE/NAME[@VERSION]`, where VERSION is 1.0.0, v1.0.0 or a 40-hex commit of
    the `deltas` repository; without it the highest version is taken. `parts` are fetched as far as
    the bundle has them, `deltas` always. Every file is checked by sha256. Run again it goes on
    where it stopped; with more parts it adds them. Raises `BlindspotsError` for what the user can
    mend.
    """
    named = Reference.parse(reference)
    asked = _asked(parts)
    hub = Hub(token)
    yield Event("ask the Hub", 0, 1)
    output_dir = Path(output_dir).expanduser()
    lock = resolve(hub, named, ask=True)
    with only_one_run(output_dir, f"pull {lock.reference}"):
        if (output_dir / MANIFEST).is_file() and sha256_file(
            output_dir / MANIFEST
        ) != lock.manifest_sha256:
            raise BlindspotsError(
                f"{output_dir} holds another bundle than {lock.reference}: choose another folder."
            )
        yield from _laying(hub, lock, output_dir, asked, link=False, check=True, all_of_it=True)
        for part in set(asked) & set(lock.commits):
            card = hub.read(lock.repo(part), lock.commits[part], CARD)
            if card is not None:
                write_bytes(output_dir / part / CARD, card)
    return output_dir


def opening(
    source: Reference | Lock,
    parts: Collection[str] = (),
    *,
    check: bool = False,
    token: str | None = None,
) -> Work[Path]:
    """The folder of a published bundle in the cache, with `deltas` and `parts` fetched.

    Without what is of single images (`layout.on_demand`), which is fetched when it is read. What is
    in the cache asks no network; `check` also looks at the content of what is there.
    """
    hub = Hub(token)
    yield Event("ask the Hub", 0, 1)
    lock = source if isinstance(source, Lock) else resolve(hub, source)
    root = folder_of(lock)
    yield from _laying(hub, lock, root, _asked(parts), link=True, check=check)
    return root


def adding(root: Path, parts: Collection[str], *, token: str | None = None) -> Work[Path]:
    """Fetch more parts of the bundle in `root`, which was fetched with fewer."""
    lock = lock_in(root)
    if lock is None:
        raise ValueError(f"{root} was not fetched from the Hub")
    link = is_cached(root)
    yield from _laying(Hub(token), lock, root, _asked(parts), link=link, check=False)
    return root


def is_cached(root: Path) -> bool:
    """Whether the bundle in `root` lies in the Hub client's cache, which is ours to mend."""
    return bundles_folder() in root.parents


def fetching(
    root: Path, names: Collection[str], *, check: bool = False, token: str | None = None
) -> Work[None]:
    """Fetch single files of the bundle in `root`, which was fetched without them.

    `check` looks at the content of those that are there, and fetches what is damaged anew.
    """
    lock = lock_in(root)
    if lock is None:
        raise ValueError(f"{root} was not fetched from the Hub")
    hub = Hub(token)
    _, manifest = read_manifest(hub, lock)
    parts = sorted({part_of(name) for name in names})
    files = [f for part in parts for f in wanted(lock, manifest, part) if f.name in names]
    yield from bringing(hub, files, root, link=is_cached(root), check=check)


def _laying(
    hub: Hub,
    lock: Lock,
    root: Path,
    parts: Collection[str],
    *,
    link: bool,
    check: bool,
    all_of_it: bool = False,
) -> Work[None]:
    """Bring parts of a bundle to `root`: but `all_of_it`, without what is fetched when read."""
    path, manifest = read_manifest(hub, lock)
    yield Event("ask the Hub", 1, 1)
    _write(root / LOCK, lock.to_bytes())
    files = [
        file
        for part in parts
        for file in wanted(lock, manifest, part)
        if all_of_it or not on_demand(file.name) or regular_size(root / file.name) is not None
    ]
    yield from bringing(hub, files, root, link=link, check=check)
    _write(root / MANIFEST, path.read_bytes())  # last: a folder with a manifest is a whole bundle


def _write(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        write_bytes(path, content)


def _asked(parts: Collection[str]) -> list[str]:
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise BlindspotsError(
            f"A bundle has no part {unknown[0]!r}: its parts are {', '.join(PARTS)}."
        )
    return [part for part in PARTS if part in parts or part == DELTAS_PART]
