"""The server: its accounts, repositories and collections, its faults, the log of what was asked.

Left out, against the real Hub: files of xet storage for clients without xet (which get 404), likes,
downloads counted, the dataset viewer, jobs, webhooks, rate limits, malware scans, renamed
repositories, resource groups, multipart uploads and Spaces that run.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from hub_server.accounts import Accounts
from hub_server.errors import HubError
from hub_server.faults import BeforeFault, Fault
from hub_server.repository import Repository
from hub_server.routes import Collection
from hub_server.routing import Call
from hub_server.wire import Answer, Handler, Logged, Request, answer_json
from hub_server.xet import XetStore


@dataclass
class Armed:
    """A fault that waits for requests, how often it still strikes (`None`: always), how often it
    has."""

    fault: Fault
    left: int | None
    struck: int = 0


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class HubServer:
    """A Hub on 127.0.0.1 while the `with` block lasts.

    Attributes:
        endpoint: what `HF_ENDPOINT` is to be.
        requests: what was asked, in order.
        broken: tracebacks of what went wrong in the server itself; the fixture `hub` fails for one.
        page_size: entries a page of a tree (the Hub: 1000, and 50 with `expand`).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.accounts = Accounts()
        self.repos: dict[tuple[str, str], Repository] = {}
        self.collections: dict[str, Collection] = {}
        self.requests: list[Logged] = []
        self.broken: list[str] = []
        self.page_size = 1000
        self.xet = XetStore(root / "xet")
        self.lock = threading.RLock()
        self.healed = threading.Event()
        self._armed: list[Armed] = []
        self._recorders: list[tuple[list[Logged], Callable[[Logged], bool]]] = []
        self._listener = _Listener(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self.endpoint = f"http://127.0.0.1:{self._listener.server_port}"
        # Files in large storage come from another host than the API, as on the Hub.
        self.storage = f"http://localhost:{self._listener.server_port}"

    def __enter__(self) -> HubServer:
        serve = self._listener.serve_forever
        threading.Thread(target=serve, args=(0.05,), name="hub-server", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.heal()
        self._listener.shutdown()
        self._listener.server_close()

    def add_user(self, name: str) -> str:
        """A new user; a token that writes."""
        self.accounts.users.add(name)
        return self.token(name)

    def add_org(self, name: str, **roles: str) -> None:
        """A new organisation of existing users: `add_org("lab", ana="admin", ben="read")`."""
        self.accounts.orgs[name] = dict(roles)

    def token(self, user: str, role: str = "write", namespaces: tuple[str, ...] = ()) -> str:
        """A user's token: `write`, `read`, or `fineGrained` for writing to some namespaces."""
        return self.accounts.issue(user, role, namespaces)

    def repo(self, kind: str, repo_id: str) -> Repository:
        """A repository, to look at and to change behind a client's back; `KeyError` without one."""
        return self.repos[kind, repo_id]

    def fail(self, fault: Fault, times: int | None = 1) -> Armed:
        """Arm a fault for the next requests that it meets (`None`: for all until `heal`)."""
        armed = Armed(fault, times)
        with self.lock:
            self.healed.clear()
            self._armed.append(armed)
        return armed

    def heal(self) -> None:
        """Disarm all faults; silent answers end."""
        with self.lock:
            self._armed.clear()
            self.healed.set()

    @contextmanager
    def recorded(
        self, wanted: Callable[[Logged], bool] = lambda logged: True
    ) -> Iterator[list[Logged]]:
        """The `wanted` requests made while the block lasts: `with hub.recorded() as requests`."""
        seen: list[Logged] = []
        recorder = (seen, wanted)
        self._recorders.append(recorder)
        try:
            yield seen
        finally:
            self._recorders = [other for other in self._recorders if other is not recorder]

    def log(self, logged: Logged) -> None:
        """Note a request."""
        with self.lock:
            self.requests.append(logged)
            for seen, wanted in self._recorders:
                if wanted(logged):
                    seen.append(logged)

    def answer(self, request: Request) -> tuple[str, Answer]:
        """The route's name and the answer to a request, faults done."""
        call = Call.of(self, request)
        answer = None
        for fault in self._strike(call, None):
            answer = answer or fault.before(call)
        answer = answer or self._handled(call)
        for fault in self._strike(call, answer):
            answer = fault.after(call, answer)
        return call.route, answer

    def _handled(self, call: Call) -> Answer:
        try:
            if call.function is None:
                raise HubError(404, "Sorry, we can't find the page you are looking for.")
            return call.function(call)
        except HubError as error:
            headers = {"X-Error-Message": error.message, **error.headers}
            if error.code:
                headers["X-Error-Code"] = error.code
            return answer_json({"error": error.message, **error.more}, error.status, headers)
        except Exception:  # a mistake of the server's own: told to the client and to the test
            self.broken.append(traceback.format_exc())
            return answer_json({"error": "Internal Error"}, 500)

    def _strike(self, call: Call, answer: Answer | None) -> list[Fault]:
        """The faults that strike now: before an answer is made, or on the one that is."""
        struck = []
        with self.lock:
            for armed in self._armed:
                fault = armed.fault
                due = isinstance(fault, BeforeFault) if answer is None else fault.spoils(answer)
                if due and armed.left != 0 and fault.meets(call):
                    armed.left = None if armed.left is None else armed.left - 1
                    armed.struck += 1
                    struck.append(fault)
        return struck
