"""How the Hub says no: a status, a code that the client turns into an exception, a sentence."""

from __future__ import annotations


class HubError(Exception):
    """An answer other than the one asked for.

    Args:
        status: the HTTP status.
        message: the sentence of the body's `error` and of `X-Error-Message`.
        code: `X-Error-Code` (`RepoNotFound`, `RevisionNotFound`, `EntryNotFound`, `GatedRepo`),
            which the client turns into the exception of that name.
        more: further fields of the JSON body.
        headers: further headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str = "",
        more: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.more = more or {}
        self.headers = headers or {}


def bad_credentials() -> HubError:
    """A token that no account has; refused on public repositories too, as the Hub does."""
    return HubError(401, "Invalid credentials in Authorization header")


def log_in() -> HubError:
    """Nobody asks for what needs an account."""
    return HubError(401, "Invalid username or password.")


def no_repo(authenticated: bool) -> HubError:
    """Missing, or private and not the caller's: the Hub does not say which."""
    if authenticated:
        return HubError(404, "Repository not found", "RepoNotFound")
    return HubError(401, "Invalid username or password.", "RepoNotFound")


def no_revision(revision: str) -> HubError:
    return HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def no_entry(path: str, commit: str) -> HubError:
    """The commit is named too: the client remembers for it that the file does not exist."""
    return HubError(
        404, f"Entry not found: {path}", "EntryNotFound", None, {"X-Repo-Commit": commit}
    )
