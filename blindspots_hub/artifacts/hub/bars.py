"""The Hub client without the things that it prints."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_bars() -> Iterator[None]:
    """Without the client's progress bars, as events tell of progress; without its surprise that a
    Space holds parquet files, as the embedded bundle does."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    disabled = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="It seems that you are about to commit a dat")
            yield
    finally:
        if not disabled:
            enable_progress_bars()
