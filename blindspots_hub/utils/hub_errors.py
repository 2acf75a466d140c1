"""What the Hub's client raises, told in one sentence each; what may pass by itself is tried again.

The client raises some twenty kinds of exception, several of which mean the same to a user, and it
repeats only some of its requests. Whoever talks to the Hub does so through `call_hub`.
"""

from __future__ import annotations

import errno
import importlib
import re
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.hub_probe import HubUnreachable

T = TypeVar("T")

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds waited before each new try of what failed on the Hub's side or on the way."""

_PASSING = (408, 429, 500, 502, 503, 504)
_TOKEN = re.compile(r"hf_\w{4,}")


def call_hub(
    call: Callable[[], T],
    what: str,
    done: str = "fetched",
    expected: Callable[[Exception], bool] = lambda error: False,
    once: bool = False,
) -> T:
    """`call()`, tried again where the Hub failed or the connection was cut.

    An error for which `expected` is true is passed on as it is; any other of the client becomes a
    `BlindspotsError` "`what` cannot be `done`: …". `once` is for a call that the client repeats
    itself, or that must not be repeated, as it may have been heard although no answer came back.
    """
    for wait in (None,) if once else (*WAITS, None):
        try:
            return call()
        except Exception as raised:
            error = _unwrapped(raised)
            if expected(error):
                if error is raised:
                    raise
                raise error from raised
            why = _cause(error)
            if why is None:
                raise
            if wait is None or not _may_pass(error):
                kind = HubUnreachable if why in (_UNREACHABLE, _CUT) else BlindspotsError
                raise kind(f"{what} cannot be {done}: {why}.") from error
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def asking_or_none(
    call: Callable[[], T], what: str, absent: Callable[[Exception], bool], done: str = "read"
) -> T | None:
    """`call_hub(call)`, and None for the one kind of error that is an answer."""
    try:
        return call_hub(call, what, done, absent)
    except Exception as error:
        if absent(error):
            return None
        raise


def status(error: Exception) -> int | None:
    """HTTP status of the Hub's answer that `error` tells of; None where there was no answer."""
    found = getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def _unwrapped(error: Exception) -> Exception:
    """The answer or the broken connection that the client says `error` comes from, else `error`.

    Where a file's address cannot be asked for, the client raises that the cache lacks the file (or,
    where it was told to fetch anew, a `ValueError`) *from* what went wrong; where an upload fails,
    a `RuntimeError`.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    wrappers = (LocalEntryNotFoundError, ValueError, RuntimeError)
    wrapped = isinstance(error, wrappers) and status(error) is None
    return error.__cause__ if wrapped and isinstance(error.__cause__, Exception) else error


@cache
def http_library() -> Any:
    """The module whose errors the Hub's client raises: httpx2 since huggingface_hub 2.

    Both may be installed, so the client's own errors tell; Python 3.10 has only the older client.
    """
    from huggingface_hub.errors import HfHubHTTPError

    names = (base.__module__.partition(".")[0] for base in HfHubHTTPError.__mro__)
    return importlib.import_module(next(name for name in names if name in ("httpx2", "httpx")))


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed in a moment: the Hub's fault, or the connection's."""
    if status(error) is not None:
        return status(error) in _PASSING
    return isinstance(error, (http_library().TransportError, ConnectionError)) or _is_xet(error)


def is_missing_repo(error: Exception) -> bool:
    """Whether the Hub says that there is no such repository (or none for this user)."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    return isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError)


def is_missing_file(error: Exception) -> bool:
    """Whether the Hub says that the repository has no such file at this commit."""
    from huggingface_hub.errors import RemoteEntryNotFoundError

    return isinstance(error, RemoteEntryNotFoundError)


def _cause(error: Exception) -> str | None:
    """Why a request failed and what to do, as half a sentence; None for errors of another kind."""
    from huggingface_hub.errors import (
        DisabledRepoError,
        EntryNotFoundError,
        FileMetadataError,
        GatedRepoError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, (OfflineModeIsEnabled, LocalEntryNotFoundError)):
        return _UNREACHABLE
    if isinstance(error, GatedRepoError):
        return "its owner wants its terms accepted first: open its page on the Hub and log in"
    if isinstance(error, RepositoryNotFoundError):
        return "the Hub knows no such repository: check its name, or log in if it is private"
    if isinstance(error, RevisionNotFoundError):
        return "the repository has no such revision: check the version, tag or commit"
    if isinstance(error, EntryNotFoundError):
        return "the repository has no such file at this revision: check what was published"
    if isinstance(error, DisabledRepoError):
        return "the Hub has closed this repository: ask its owner"
    if (code := status(error)) is not None:
        return _STATUS.get(code, f"the Hub answers {code}{_words(error)}: try again later")
    if isinstance(error, FileMetadataError):
        return "the Hub's answer lacks what identifies the file: check HF_ENDPOINT"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free some space and run the same again, it goes on from here"
    if isinstance(error, (http_library().HTTPError, ConnectionError)) or _is_xet(error):
        return _CUT
    if isinstance(error, UnicodeEncodeError):  # of a header; the rest of a request is UTF-8
        return _STATUS[401]
    if isinstance(error, PermissionError):
        return f"{error.filename} cannot be written: choose a folder (or HF_HOME) that you own"
    return None


_UNREACHABLE = (
    "it is not in the local cache and the Hugging Face Hub cannot be reached: check the network "
    "(or HF_HUB_OFFLINE)"
)

_CUT = "the connection to the Hub was cut: run the same again, it goes on from here"

_STATUS = {
    401: "the Hub does not accept the token: run `hf auth login`, or set HF_TOKEN anew",
    403: "the token does not allow it: use one that may write there, or ask the owner",
    409: "it exists there already: choose another name or version",
    412: "somebody else changed it meanwhile: look at what is there, and run the same again",
    413: "it is too large for the Hub: publish less at once",
    429: "the Hub wants fewer requests: wait some minutes and run the same again",
    **dict.fromkeys(
        (500, 502, 503, 504),
        "the Hub failed several times in a row: run the same again later, it goes on from here",
    ),
}


def _words(error: Exception) -> str:
    """What the Hub says itself, in brackets: one line, short, and never a token."""
    words = " ".join(str(getattr(error, "server_message", None) or "").split())[:200]
    return f" ({_TOKEN.sub('hf_…', words)})" if words else ""


def _is_xet(error: Exception) -> bool:
    """Whether the Rust client of the Hub's chunk store raised this; its errors share no base."""
    return type(error).__module__.partition(".")[0] == "hf_xet" or (
        isinstance(error, RuntimeError) and "xet" in str(error).lower()
    )
