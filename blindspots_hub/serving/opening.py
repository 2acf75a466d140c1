"""Which bundles the page opens with, so that there always is one."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import LOCK, NATURAL
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.hub_probe import HubUnreachable

_log = logging.getLogger(__name__)


def evaluations_folder(environment: Mapping[str, str]) -> Path:
    """Where evaluations of the page keep their files, unless another folder is asked for."""
    cache = Path(environment.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "blindspots_hub" / "evaluations"


def _opened(source: str | Path) -> Bundle:
    """A bundle of which only what is looked at is read, and checked then."""
    return load_bundle(source)


def open_first(asked: str | None, beside: Path, embedded: Path) -> tuple[Bundle, str]:
    """The bundle to open, and a sentence for the page where it is not the one that was wanted.

    That is `asked` (a folder, or `NAMESPACE/NAME[@VERSION]`); without it the one that a
    `bundle.lock.json` in the folder `beside` names, as on a Space; without that the `embedded` one,
    which also stands in where the Hub cannot be reached. A Space starts whatever becomes of its
    bundle; what is asked for and is wrong raises `BlindspotsError`.
    """
    lock = beside / LOCK
    if asked is None and not lock.is_file():
        return _opened(embedded), ""
    try:
        return _with_models(_opened(lock if asked is None else asked)), ""
    except HubUnreachable as error:
        why = str(error)
    except BlindspotsError as error:
        if asked is not None:
            raise
        why = str(error)
    except Exception as error:  # a bundle that is worse than any that was thought of
        _log.exception("%s cannot be opened.", lock if asked is None else asked)
        told = f"{lock.name if asked is None else asked} cannot be opened ({type(error).__name__})"
        if asked is not None:
            raise BlindspotsError(f"{told}: name another bundle.") from error
        why = f"{told}."
    _log.warning("%s The embedded example is shown instead.", why)
    return _opened(embedded), f"You see the embedded example: {why}"


def read_ahead(bundle: Bundle, models: int) -> Thread:
    """A thread that reads what the page shows first, while the page's libraries are imported.

    That is of `models` at most: the first card compares no more. The bundle keeps what was read.
    A fault of it is told where it is looked at, not here.
    """

    def read() -> None:
        try:
            first = next(iter(bundle.image_ids(NATURAL)), "")
            for model in list(bundle.models)[:models]:
                bundle.deltas(model)
            for source in (NATURAL, *list(bundle.models)[:1]):
                bundle.heatmap(source, 0, first)
            bundle.has_thumbnail(NATURAL, first)
            _ = bundle.labels
        except Exception:
            _log.debug("%s could not be read ahead.", bundle.root, exc_info=True)

    thread = Thread(target=read, name="read ahead", daemon=True)
    thread.start()
    return thread


def open_beside(first: Bundle, asked: Sequence[str]) -> tuple[list[Bundle], str]:
    """The bundles `asked` that can be shown with `first`, and a sentence on each of the others.

    Those are bundles of another concept space, and such as hold no model yet. One that is no bundle
    raises `BlindspotsError`.
    """
    found, left_out = [], []
    for one in asked:
        bundle = _opened(one)
        if bundle.concept_space != first.concept_space:
            left_out.append(
                f"{one} is left out: it was measured in another concept space than {first.name}."
            )
        elif not bundle.models:
            left_out.append(f"{one} is left out: it holds no model yet.")
        else:
            found.append(bundle)
    return found, " ".join(left_out)


def _with_models(bundle: Bundle) -> Bundle:
    if not bundle.models:
        raise BlindspotsError(
            f"The bundle {bundle.name} holds no model yet, so there is nothing to show: evaluate "
            f"one first (python -m blindspots_hub evaluate MODEL --bundle "
            f"{shlex.quote(str(bundle.root))} --out DIR)."
        )
    return bundle
