"""A file in a second place without a second copy of its bytes, where the system allows it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from blindspots_hub.utils.files import atomic


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` a symbolic link to `source`, or a copy where links are not allowed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.symlink(source.resolve(), target)
    except (OSError, NotImplementedError):  # Windows without the right, file systems without links
        with atomic(target) as partial:
            shutil.copyfile(source, partial)
