"""Commits: what is asked before one, and the commit itself."""

from __future__ import annotations

import base64
import json
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from hub_server.errors import HubError, no_revision
from hub_server.objects import Pointer
from hub_server.repository import BRANCH, PULL, Repository
from hub_server.routes.discussions import open_pull_request
from hub_server.routes.repos import page_url
from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json

REGULAR_BYTES = 10 * 1024 * 1024
"""A file larger than this goes to large storage whatever it holds."""


@route("POST", "/api/{kind}s/{repo}/preupload/{revision}", "preupload")
def preupload(call: Call) -> Answer:
    repo = call.writable(call.request.flag("create_pr"))
    said, sha = call.request.json(), repo.resolve(call.params["revision"])
    entries = repo.entries(sha)
    ignored = said.get("gitIgnore", "").split()
    if not ignored and ".gitignore" in entries:
        ignored = repo.read(".gitignore", sha).decode().split()
    large = lfs_patterns(repo, sha)
    files = []
    for asked in said["files"]:
        path, sample = asked["path"], base64.b64decode(asked.get("sample", ""))
        lfs = matches(path, large) or asked["size"] > REGULAR_BYTES or b"\0" in sample
        found = {"path": path, "uploadMode": "lfs" if lfs else "regular"}
        found["shouldIgnore"] = matches(path, ignored)
        there = entries.get(path)
        if there is not None and not there.folder:
            found["oid"] = there.lfs.sha256 if there.lfs else there.oid
        files.append(found)
    return answer_json({"files": files, "commitOid": sha})


def lfs_patterns(repo: Repository, sha: str) -> list[str]:
    """The patterns that `.gitattributes` sends to large storage."""
    if ".gitattributes" not in repo.entries(sha):
        return []
    lines = repo.read(".gitattributes", sha).decode().splitlines()
    return [line.split()[0] for line in lines if "filter=lfs" in line]


def matches(path: str, patterns: list[str]) -> bool:
    """Whether a path, or its last piece, is meant by one of git's patterns (without `!`)."""
    name = PurePosixPath(path).name
    return any(fnmatchcase(name, p) or fnmatchcase(path, p.replace("**", "*")) for p in patterns)


@route("POST", "/api/{kind}s/{repo}/commit/{revision}", "commit")
def commit(call: Call) -> Answer:
    create_pr = call.request.flag("create_pr")
    repo = call.writable(create_pr)
    lines = [json.loads(line) for line in call.request.read().splitlines() if line.strip()]
    if not lines or lines[0]["key"] != "header":
        raise HubError(400, "The first line of a commit is its header")
    header = lines[0]["value"]
    files, remove = operations(call, repo, lines[1:])
    message = "\n\n".join(filter(None, (header["summary"], header.get("description"))))
    parent, author = header.get("parentCommit"), call.account().user
    said: dict[str, object] = {"success": True, "hookOutput": ""}
    with repo.lock:
        if create_pr:
            start = repo.resolve(parent or call.params["revision"])
            number = open_pull_request(repo, header["summary"], author, start)
            ref, parent = f"{PULL}{number}", None
            said["pullRequestUrl"] = f"{page_url(call, repo)}/discussions/{number}"
        else:
            ref = branch_of(repo, call.params["revision"])
        write = {"remove": remove, "message": message, "author": author, "ref": ref}
        sha = repo.write(files, **write, parent=parent)
    return answer_json(
        {**said, "commitUrl": f"{page_url(call, repo)}/commit/{sha}", "commitOid": sha}
    )


def branch_of(repo: Repository, revision: str) -> str:
    """The ref that a commit to a revision moves: a branch or a pull request, never a tag."""
    for ref in (revision, BRANCH + revision):
        if ref in repo.refs and ref.startswith((BRANCH, PULL)):
            return ref
    raise no_revision(revision)


def pointer_to(call: Call, repo: Repository, path: str, sha256: str) -> Pointer:
    """The pointer to an object that must have been uploaded, by LFS or xet, before its commit."""
    stored = repo.lfs_path(sha256)
    if stored.is_file():
        return Pointer(sha256, stored.stat().st_size)
    in_xet = call.server.xet.find(sha256)
    if in_xet is None:
        raise HubError(400, f"LFS pointer pointed to a file that does not exist: {path}")
    return Pointer(sha256, in_xet.size)


def operations(
    call: Call, repo: Repository, lines: list[dict]
) -> tuple[dict[str, bytes | Pointer], list[str]]:
    """Files to write by path, and paths to remove, of a commit's lines."""
    files: dict[str, bytes | Pointer] = {}
    remove: list[str] = []
    for line in lines:
        value = line["value"]
        path = value["path"]
        if path.startswith("/") or {"..", ".git", ""} & set(path.rstrip("/").split("/")):
            raise HubError(400, f"Invalid path: {path}")
        if line["key"] == "file":
            files[path] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            files[path] = pointer_to(call, repo, path, value["oid"])
        elif line["key"] in ("deletedFile", "deletedFolder"):
            remove.append(path if line["key"] == "deletedFile" else f"{path.rstrip('/')}/")
        else:
            raise HubError(400, f"Unknown operation: {line['key']}")
    return files, remove
