"""Which function answers which request, and what such a function is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlencode

from hub_server.accounts import Token
from hub_server.errors import HubError, log_in, no_repo
from hub_server.repository import Repository
from hub_server.wire import Answer, Request, answer_json

if TYPE_CHECKING:
    from hub_server.server import HubServer

Item = TypeVar("Item")
Answering = Callable[["Call"], Answer]

PIECES = {
    "kind": "(?P<kind>model|dataset|space)",
    "prefix": "(?P<prefix>datasets/|spaces/|)",
    "repo": "(?P<repo>[^/]+/[^/]+?)",
    "path": "(?P<path>.+)",
}
"""What stands for a name in braces in a route's template; any other is one piece of a path."""


@dataclass(frozen=True)
class Route:
    """A method and a pattern of (percent-encoded) paths, and who answers them."""

    method: str
    pattern: re.Pattern[str]
    name: str
    function: Answering


ROUTES: list[Route] = []


def route(method: str, template: str, name: str) -> Callable[[Answering], Answering]:
    """Let the function below answer requests for paths like `/api/{kind}s/{repo}/refs`.

    Args:
        method: `GET` takes `HEAD` too.
        template: the path; `PIECES` says what the names in braces take.
        name: what faults and the log call it.
    """
    pattern = "".join(
        PIECES.get(part, f"(?P<{part}>[^/]+)") if i % 2 else re.escape(part)
        for i, part in enumerate(re.split(r"[{}]", template))
    )

    def register(function: Answering) -> Answering:
        ROUTES.append(Route(method, re.compile(pattern), name, function))
        return function

    return register


@dataclass
class Call:
    """A request on its way to the function that answers it."""

    server: HubServer
    request: Request
    route: str = "unknown"
    params: dict[str, str] = field(default_factory=dict)
    function: Answering | None = None

    @classmethod
    def of(cls, server: HubServer, request: Request) -> Call:
        """The call that a request is, by the first route that takes it."""
        method = "GET" if request.method == "HEAD" else request.method
        for known in ROUTES:
            match = known.pattern.fullmatch(request.path) if known.method == method else None
            if match:
                params = {name: unquote(value) for name, value in match.groupdict().items()}
                return cls(server, request, known.name, params, known.function)
        return cls(server, request)

    @property
    def kind(self) -> str:
        """`model`, `dataset` or `space`."""
        if "kind" in self.params:
            return self.params["kind"]
        return {"datasets/": "dataset", "spaces/": "space"}.get(
            self.params.get("prefix", ""), "model"
        )

    @property
    def repo_key(self) -> str:
        """`dataset/ana/birds`; empty if the request is not about a repository."""
        return f"{self.kind}/{self.params['repo']}" if "repo" in self.params else ""

    @property
    def path(self) -> str:
        """The file that the request is about, if it is about one."""
        return self.params.get("path") or self.request.get("filename")

    @property
    def token(self) -> Token | None:
        """Who asks."""
        return self.server.accounts.caller(self.request.headers.get("Authorization"))

    def account(self) -> Token:
        """Who asks; nobody is refused."""
        token = self.token
        if token is None:
            raise log_in()
        return token

    def readable(self) -> Repository:
        """The repository, if the caller may know of it."""
        token = self.token
        repo = self.server.repos.get((self.kind, self.params["repo"]))
        if repo is None or not self.may_see(repo):
            raise no_repo(token is not None)
        return repo

    def may_see(self, repo: Repository) -> bool:
        """Whether a repository is public, or the caller's."""
        return not repo.private or self.server.accounts.belongs(self.token, repo.namespace)

    def open(self) -> Repository:
        """The repository, if the caller may have its files: gates are kept here."""
        repo, token = self.readable(), self.token
        if repo.gated and not self.server.accounts.belongs(token, repo.namespace):
            where = f"Access to {repo.kind} {repo.id} is restricted"
            if token is None:
                text = (
                    "You must have access to it and be authenticated to access it. Please log in."
                )
                raise HubError(401, f"{where}. {text}", "GatedRepo")
            if token.user not in repo.admitted:
                text = "you are not in the authorized list. Visit its page to ask for access."
                raise HubError(403, f"{where} and {text}", "GatedRepo")
        return repo

    def writable(self, pull_request: bool = False) -> Repository:
        """The repository, if the caller may write to it (a pull request: anyone with a token)."""
        repo, token = self.readable(), self.account()
        if token.role == "read":
            raise HubError(403, "Forbidden: you must use a write token to upload to a repository.")
        if not pull_request and not self.server.accounts.may_write(token, repo.namespace):
            text = "pass `create_pr=1` as a query parameter to create a Pull Request"
            raise HubError(403, f"Forbidden: {text}")
        return repo

    def page(self, items: Sequence[Item], size: int, say: Callable[[Item], Any]) -> Answer:
        """One page of a list, with the link to the next."""
        start = int(self.request.get("cursor", "0"))
        headers = {}
        if start + size < len(items):
            query = {**self.request.query, "cursor": [str(start + size)]}
            url = f"{self.server.endpoint}{self.request.path}?{urlencode(query, doseq=True)}"
            headers["Link"] = f'<{url}>; rel="next"'
        return answer_json([say(item) for item in items[start : start + size]], headers=headers)
