"""A file in a second place without a second copy of its bytes, where the system allows it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from blindspots_hub.utils.files import atomic


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
