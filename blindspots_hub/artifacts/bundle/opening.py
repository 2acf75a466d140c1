"""Opening a bundle: a folder, or one of the Hub of which only what is asked for is fetched."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.bundle.files import present, refuse
from blindspots_hub.artifacts.layout import LOCK, MANIFEST
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, drive
from blindspots_hub.utils.files import near_name

if TYPE_CHECKING:
    from blindspots_hub.artifacts.hub.lock import Lock
    from blindspots_hub.artifacts.hub.repos import Reference


def load_bundle(
    source: str | Path,
    parts: Collection[str] = (),
    show: Callable[[Event], None] | None = None,
    contents: bool = False,
) -> Bundle:
    """Open a bundle: every part that is there, and `parts`, which must be.

    `source` is the folder of a bundle; or `NAMESPACE/NAME[@VERSION]`, a bundle on the Hub (VERSION
    is 1.0.0, v1.0.0 or a 40-hex commit of its `deltas` repository, by default the highest version);
    or the path of a `bundle.lock.json`, which names one. From the Hub only `deltas` and `parts` are
    fetched, into the Hub client's cache, and the rest when it is asked for; what was fetched before
    asks no network. A string that is both a folder and a reference is the folder; a `Path` is never
    a reference. `show` receives the events of fetching.

    Names, sizes and what files say of themselves are checked at once; each file's sha256 and
    content when it is first read, so that opening takes no longer for a large bundle. With
    `contents`, as `validate` does and `Bundle.check` later, all of it at once.

    Raises `BlindspotsError` with every fault found: nothing of a faulty file is ever given. Where
    the Hub is needed and cannot be reached it does so within seconds.
    """
    published = _published(source)

    def found_in(root: Path) -> list[str]:
        return faults(root, present(root, parts), contents=contents)

    if published is None:
        root = Path(source).expanduser()
        found = found_in(root)
    else:
        from blindspots_hub.artifacts.hub.fetch import opening

        try:
            root = drive(opening(published, parts), show)
        except BlindspotsError as error:
            raise _no_folder_either(source, error) from error
        found = found_in(root)
        if found:  # the cache was damaged since: mend it
            root = drive(opening(published, present(root, parts), check=True), show)
            found = found_in(root)
    refuse(root, found)
    return Bundle(root, unread=not contents)


def _published(source: str | Path) -> Reference | Lock | None:
    """What `source` names on the Hub; None where it names a folder."""
    from blindspots_hub.artifacts.hub.lock import Lock
    from blindspots_hub.artifacts.hub.repos import Reference, looks_like_reference

    path = Path(source).expanduser()
    if path.name == LOCK and path.is_file():
        return Lock.parse(path.read_bytes(), str(path))
    if not looks_like_reference(source):
        return None
    meant = near_name(source)
    if meant is not None and (meant / MANIFEST).is_file():
        raise BlindspotsError(
            f"{source} is no folder here: did you mean {meant}? A bundle of that name on the Hub "
            f"is asked for with its version, as {source}@1.0.0."
        )
    return Reference.parse(str(source))


def _no_folder_either(source: str | Path, error: BlindspotsError) -> BlindspotsError:
    """`error`, which says so where `source` looks like a path of this machine."""
    named = Path(source).expanduser()
    told = "no folder here" in str(error) or "@" in str(source)
    if told or isinstance(source, Path) or named.exists() or not named.parent.is_dir():
        return error
    return type(error)(f"{source} is no folder here, and taken for a bundle of the Hub: {error}")
