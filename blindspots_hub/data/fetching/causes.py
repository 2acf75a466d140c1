"""Why an address gave no image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cause = Literal[
    "bad_url",
    "forbidden_address",
    "name_unknown",
    "connection_failed",
    "tls_failed",
    "timed_out",
    "bad_redirect",
    "too_many_redirects",
    "http_error",
    "partial_content",
    "bad_response",
    "bad_encoding",
    "too_large",
    "cut_short",
    "empty",
    "opted_out",
    "robots_txt",
    "not_an_image",
    "image_damaged",
    "too_many_pixels",
    "too_thin",
    "too_small",
    "blank",
]
"""`bad_url`: no http(s) address; `forbidden_address`: it leads into a network that is not public,
or to a port of another service; `http_error`: any status but 200; `partial_content`: a 206 that
nobody asked for; `bad_response`: no HTTP, or too many headers; `bad_encoding`: a compression that
was not asked for and is not gzip or deflate, or is broken; `opted_out`: its `X-Robots-Tag` says so;
`robots_txt`: its host forbids it to programs.
"""

NETWORK: frozenset[Cause] = frozenset(("name_unknown", "connection_failed", "timed_out"))
"""Causes that a network that is away gives for every address."""


class NoFetch(Exception):
    """An address gave no image: its cause, and whether a new try may help."""

    def __init__(
        self,
        cause: Cause,
        told: str = "",
        *,
        status: int | None = None,
        passing: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(told or cause)
        self.cause: Cause = cause
        self.told, self.status = told[:300], status
        self.passing, self.retry_after = passing, retry_after


@dataclass(frozen=True)
class NotFetched:
    """What became of an address that gave no image; `status` is HTTP's, where it answered."""

    cause: Cause
    told: str = ""
    status: int | None = None
    tries: int = 1
