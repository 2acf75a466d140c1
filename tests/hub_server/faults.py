"""What can go wrong, one thing a class; a test arms it with `HubServer.fail`.

A fault meets the requests whose route (`routes` name them: `commit`, `lfs.upload`, `download.file`,
`tag.create`, …), repository (`dataset/ana/birds`) and file match its patterns (shell style).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hub_server.wire import Answer, Cut, answer_json

if TYPE_CHECKING:
    from hub_server.routing import Call


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong with requests of a route, a repository, a file and a method."""

    route: str = "*"
    repo: str = "*"
    path: str = "*"
    method: str = "*"

    def meets(self, call: Call) -> bool:
        """Whether this request is one of those."""
        asked = (call.route, call.repo_key, call.path, call.request.method)
        wanted = (self.route, self.repo, self.path, self.method)
        return all(map(fnmatchcase, asked, wanted))

    def spoils(self, answer: Answer) -> bool:
        """Whether the fault shows in this answer (one that shows before it is asked for: never)."""
        return False

    def before(self, call: Call) -> Answer | None:
        """What happens instead of, or before, the request is looked at."""
        return None

    def after(self, call: Call, answer: Answer) -> Answer:
        """What happens to the answer once the request has been done."""
        return answer


class BeforeFault(Fault):
    """A fault that shows when the request comes in."""


@dataclass(frozen=True, kw_only=True)
class Status(BeforeFault):
    """The server answers an error and does nothing."""

    status: int = 503
    message: str = "Service Unavailable"

    def before(self, call: Call) -> Answer:
        call.request.read()
        return answer_json({"error": self.message}, self.status, {"X-Error-Message": self.message})


@dataclass(frozen=True, kw_only=True)
class CutUpload(BeforeFault):
    """The connection is cut once so many bytes of the request's body have arrived."""

    received: int = 0

    def before(self, call: Call) -> None:
        call.request.read(self.received)
        raise Cut(call.route)


@dataclass(frozen=True, kw_only=True)
class DamagedUpload(BeforeFault):
    """The bytes that arrive are not those that were sent, though as many."""

    route: str = "lfs.upload"

    def before(self, call: Call) -> None:
        call.request.replace_body(flip(call.request.read()))


@dataclass(frozen=True, kw_only=True)
class Silent(BeforeFault):
    """The server takes the request and never answers (until it is healed or closed)."""

    def before(self, call: Call) -> None:
        call.server.healed.wait()
        raise Cut(call.route)


@dataclass(frozen=True, kw_only=True)
class Slow(BeforeFault):
    """The server takes so many seconds before it looks at the request."""

    seconds: float = 0.5

    def before(self, call: Call) -> None:
        time.sleep(self.seconds)


@dataclass(frozen=True, kw_only=True)
class Meanwhile(BeforeFault):
    """Something is done by somebody else just before: another writer commits, a tag moves."""

    do: Callable[[], object]

    def before(self, call: Call) -> None:
        self.do()


@dataclass(frozen=True, kw_only=True)
class LostAnswer(Fault):
    """The request is done, but its answer never arrives."""

    def spoils(self, answer: Answer) -> bool:
        return True

    def after(self, call: Call, answer: Answer) -> Answer:
        raise Cut(call.route)


@dataclass(frozen=True, kw_only=True)
class CutDownload(Fault):
    """The connection ends once so many bytes of a file have been sent: closed, or with `reset` torn
    down, after which huggingface_hub 2.4 does not try again by itself."""

    route: str = "download.*"
    method: str = "GET"
    sent: int = 0
    reset: bool = False

    def spoils(self, answer: Answer) -> bool:
        return answer.status in (200, 206) and len(answer.body) > self.sent

    def after(self, call: Call, answer: Answer) -> Answer:
        return Answer(answer.status, answer.body, answer.headers, self.sent, self.reset)


@dataclass(frozen=True, kw_only=True)
class CorruptDownload(Fault):
    """A file comes with one byte wrong and its size, ETag and sha as they should be."""

    route: str = "download.*"
    method: str = "GET"

    def spoils(self, answer: Answer) -> bool:
        return answer.status in (200, 206) and bool(answer.body)

    def after(self, call: Call, answer: Answer) -> Answer:
        return Answer(answer.status, flip(answer.body), answer.headers)


def flip(content: bytes) -> bytes:
    """The same number of bytes, the middle one wrong."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
