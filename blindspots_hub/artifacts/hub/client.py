"""The few things that are asked of the Hub, each with its new tries and its one sentence.

Everything is asked by `Repo` and 40-hex commit sha. The token comes from the usual places
(HF_TOKEN, `hf auth login`) or from the caller; it is handed to the client and to nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blindspots_hub.artifacts.hub.bars import without_bars
from blindspots_hub.artifacts.hub.repos import Repo
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import atomic
from blindspots_hub.utils.hub_errors import (
    asking_or_none,
    call_hub,
    is_missing_file,
    is_missing_repo,
    status,
)
from blindspots_hub.utils.hub_probe import HubUnreachable, hub_reachable

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

Content = bytes | Path
"""What a file holds: the bytes themselves, or the file that holds them."""


@dataclass(frozen=True)
class Stored:
    """A file in a repository: its size in bytes and its hashes.

    `sha256` is that of a file in large-file storage, None for others; `git_sha1` that of git's
    blob, which in large-file storage is only a pointer.
    """

    size: int
    git_sha1: str
    sha256: str | None


class Hub:
    """The Hub at HF_ENDPOINT for one user; created without asking the network anything."""

    def __init__(self, token: str | None = None) -> None:
        from huggingface_hub import HfApi

        self._api = HfApi(token=token, library_name="blindspots_hub")

    @cached_property
    def reachable(self) -> bool:
        """Whether the Hub answers; asked once, within some seconds."""
        return hub_reachable()

    def need(self, what: str) -> None:
        """`BlindspotsError`, within seconds, where the Hub cannot be reached."""
        if not self.reachable:
            raise HubUnreachable(
                f"{what}: the Hugging Face Hub cannot be reached; check the network (or "
                "HF_HUB_OFFLINE)."
            )

    def user(self) -> dict[str, Any]:
        """Who the token belongs to; without a token, or with a false one, a `BlindspotsError`."""
        from huggingface_hub import get_token

        if not (self._api.token or get_token()):
            raise BlindspotsError(
                "Nothing can be published without a token of the Hugging Face Hub: run "
                "`hf auth login`, or set HF_TOKEN, with a token that may write."
            )
        return call_hub(self._api.whoami, "The owner of the token", "asked for")

    def head(self, repo: Repo) -> str | None:
        """Commit sha of the main branch; None where there is no such repository."""
        info = asking_or_none(
            lambda: self._api.repo_info(repo.id, repo_type=repo.kind), _name(repo), is_missing_repo
        )
        return None if info is None else str(info.sha)

    def files(self, repo: Repo, commit: str) -> dict[str, Stored]:
        """Every file of a repository at a commit, by path."""
        from huggingface_hub.hf_api import RepoFile

        entries = call_hub(
            lambda: list(
                self._api.list_repo_tree(
                    repo.id, recursive=True, revision=commit, repo_type=repo.kind
                )
            ),
            _name(repo),
            "read",
        )
        return {
            entry.path: Stored(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
            for entry in entries
            if isinstance(entry, RepoFile)
        }

    def tags(self, repo: Repo) -> dict[str, str] | None:
        """The commit of every tag; None where there is no such repository."""
        found = self._refs(repo)
        return None if found is None else {ref.name: ref.target_commit for ref in found.tags}

    def pull_requests(self, repo: Repo) -> dict[str, str]:
        """The commit of every pull request, by its ref ("refs/pr/1")."""
        found = self._refs(repo)
        return {ref.ref: ref.target_commit for ref in (found.pull_requests or ())} if found else {}

    def _refs(self, repo: Repo) -> Any:
        return asking_or_none(
            lambda: self._api.list_repo_refs(
                repo.id, repo_type=repo.kind, include_pull_requests=True
            ),
            _name(repo),
            is_missing_repo,
        )

    def file(
        self, repo: Repo, commit: str, path: str, *, into: Path | None = None, anew: bool = False
    ) -> Path:
        """The local file `path` of a commit: from the Hub's cache, or fetched.

        `into` fetches it to that path below a folder of its own instead of into the cache; `anew`
        trusts no copy that is here. A commit's file that is in the cache asks no network.
        """
        if not anew and (cached := self._cached(repo, commit, path)):
            if into is None:
                return cached
            with atomic(into / path) as partial:
                shutil.copyfile(cached, partial)
            return into / path
        what = f"{path} of the {_name(repo)}"
        self.need(f"{what} is not in the local cache")
        with without_bars():
            fetched = call_hub(
                lambda: self._api.hf_hub_download(
                    repo.id,
                    path,
                    repo_type=repo.kind,
                    revision=commit,
                    local_dir=into,
                    force_download=anew,
                ),
                what,
                expected=is_missing_file,
            )
        return Path(fetched)

    def is_cached(self, repo: Repo, commit: str, path: str) -> bool:
        """Whether a commit's file is in the Hub's cache on this machine."""
        return self._cached(repo, commit, path) is not None

    def _cached(self, repo: Repo, commit: str, path: str) -> Path | None:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(repo.id, path, revision=commit, repo_type=repo.kind)
        return Path(found) if isinstance(found, str) else None

    def read(self, repo: Repo, commit: str, name: str) -> bytes | None:
        """The content of a small file at a commit; None where the commit has no such file."""
        path = asking_or_none(lambda: self.file(repo, commit, name), _name(repo), is_missing_file)
        return None if path is None else path.read_bytes()

    def create(self, repo: Repo, private: bool) -> None:
        """Make the repository unless it is there."""
        call_hub(
            lambda: self._api.create_repo(
                repo.id,
                repo_type=repo.kind,
                private=private,
                exist_ok=True,
                space_sdk="gradio" if repo.kind == "space" else None,
            ),
            _name(repo),
            "created",
        )

    def upload(self, repo: Repo, addition: CommitOperationAdd, create_pr: bool = False) -> None:
        """Store the content of one large file ahead of its commit; what is stored is not sent."""
        with without_bars():
            call_hub(
                lambda: self._api.preupload_lfs_files(
                    repo.id,
                    [addition],
                    repo_type=repo.kind,
                    create_pr=create_pr,
                    free_memory=False,
                ),
                f"{addition.path_in_repo} of the {_name(repo)}",
                "uploaded",
                once=True,  # the client itself tries each file five times, for half a minute
            )

    def page(self, repo: Repo, path: str) -> str:
        """Address of a page of a repository."""
        kind = "" if repo.kind == "model" else f"{repo.kind}s/"
        return f"{self._api.endpoint}/{kind}{repo.id}/{path}"

    def commit(
        self,
        repo: Repo,
        operations: Sequence[CommitOperationAdd | CommitOperationDelete],
        message: str,
        parent: str,
    ) -> str | None:
        """The sha of one commit on top of `parent`; None where `parent` is no longer the head.

        Where a connection was cut, what moved the head may be this very commit, made and not heard.
        """
        with without_bars():
            made = asking_or_none(
                lambda: self._api.create_commit(
                    repo.id,
                    operations,
                    commit_message=message,
                    repo_type=repo.kind,
                    parent_commit=parent,
                ),
                _name(repo),
                lambda error: status(error) == 412,
                "published",
            )
        return None if made is None else str(made.oid)

    def propose(
        self,
        repo: Repo,
        operations: Sequence[CommitOperationAdd | CommitOperationDelete],
        message: str,
        parent: str,
    ) -> str:
        """One commit as a pull request; the address of its page."""
        with without_bars():
            made = call_hub(
                lambda: self._api.create_commit(
                    repo.id,
                    operations,
                    commit_message=message,
                    repo_type=repo.kind,
                    parent_commit=parent,
                    create_pr=True,
                ),
                _name(repo),
                "published",
                once=True,  # a second one would be a second pull request
            )
        return str(made.pr_url)

    def tag(self, repo: Repo, tag: str, commit: str, message: str) -> bool:
        """Tag a commit; False where the repository has that tag already."""

        def tagged() -> bool:
            self._api.create_tag(
                repo.id, tag=tag, tag_message=message, revision=commit, repo_type=repo.kind
            )
            return True

        what = f"The tag {tag} of the {_name(repo)}"
        return bool(asking_or_none(tagged, what, lambda error: status(error) == 409, "created"))

    def collect(self, namespace: str, title: str, repos: Sequence[Repo], private: bool) -> str:
        """Group the repositories in the namespace's collection of that title; its address."""

        def grouped() -> str:
            known = [c for c in self._api.list_collections(owner=namespace) if c.title == title]
            collection = (
                known[0]
                if known
                else self._api.create_collection(
                    title, namespace=namespace, private=private, exists_ok=True
                )
            )
            for repo in repos:
                kind: Any = repo.kind
                self._api.add_collection_item(collection.slug, repo.id, kind, exists_ok=True)
            return str(collection.url)

        return call_hub(grouped, f"The collection {title}", "made")


def operations(
    changed: Mapping[str, Content], deleted: Sequence[str]
) -> tuple[list[CommitOperationAdd], list[CommitOperationDelete]]:
    """What a commit adds and deletes, in the client's words."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    return (
        [CommitOperationAdd(path, content) for path, content in changed.items()],
        [CommitOperationDelete(path, is_folder=False) for path in deleted],
    )


def _name(repo: Repo) -> str:
    return f"{'Space' if repo.kind == 'space' else repo.kind} {repo.id}"
