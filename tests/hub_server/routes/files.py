"""Files downloaded: small ones from the Hub itself, large ones from a storage elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import re
from urllib.parse import urlencode

from hub_server.errors import HubError
from hub_server.repository import Repository
from hub_server.routing import Call, route
from hub_server.wire import Answer

KEY = b"signs the links of the storage"


def signature(method: str, key: str, sha256: str) -> str:
    """What allows the storage's link to be used without a token."""
    return hmac.new(KEY, f"{method} {key} {sha256}".encode(), "sha256").hexdigest()


def storage_url(call: Call, repo: Repository, method: str, sha256: str, path: str = "") -> str:
    """The signed link to an LFS object in the storage, which is another host than the Hub."""
    signed = {"filename": path, "X-Signature": signature(method, repo.key, sha256)}
    folder = {"dataset": "datasets/", "space": "spaces/"}.get(repo.kind, "")
    return f"{call.server.storage}/storage/{folder}{repo.id}/{sha256}?{urlencode(signed)}"


def stored(call: Call) -> Repository:
    """The repository that a link to the storage is about, if its signature is right."""
    signed = signature(
        call.request.method.replace("HEAD", "GET"), call.repo_key, call.params["sha"]
    )
    if not hmac.compare_digest(signed, call.request.get("X-Signature")):
        raise HubError(403, "SignatureDoesNotMatch")
    return call.server.repos[call.kind, call.params["repo"]]


@route("GET", "/{prefix}{repo}/resolve/{revision}/{path}", "download.file")
def resolve(call: Call) -> Answer:
    repo = call.open()
    sha = repo.resolve(call.params["revision"])
    entry = repo.file(call.params["path"], sha)
    headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes", "ETag": f'"{entry.oid}"'}
    if entry.lfs is None:
        return ranged(call, repo.blob(entry.oid), headers)
    linked = {"X-Linked-ETag": f'"{entry.lfs.sha256}"', "X-Linked-Size": str(entry.size)}
    where = storage_url(call, repo, "GET", entry.lfs.sha256, entry.path)
    in_xet = call.server.xet.find(entry.lfs.sha256)
    if in_xet:
        token = f"{call.server.endpoint}/api/{repo.kind}s/{repo.id}/xet-read-token/{sha}"
        linked |= {"X-Xet-Hash": in_xet.hash, "Link": f'<{token}>; rel="xet-auth"'}
    return Answer(302, headers={**headers, **linked, "Location": where})


@route("GET", "/{prefix}{repo}/raw/{revision}/{path}", "download.raw")
def raw(call: Call) -> Answer:
    repo = call.open()
    sha = repo.resolve(call.params["revision"])
    entry = repo.file(call.params["path"], sha)
    return ranged(call, repo.blob(entry.oid), {"X-Repo-Commit": sha, "ETag": f'"{entry.oid}"'})


@route("GET", "/storage/{prefix}{repo}/{sha}", "download.lfs")
def download(call: Call) -> Answer:
    sha = call.params["sha"]
    headers = {"ETag": f'"{hashlib.md5(sha.encode()).hexdigest()}"', "Accept-Ranges": "bytes"}
    repo = stored(call)
    if not repo.lfs_path(sha).is_file():
        raise HubError(404, "NoSuchKey")
    return ranged(call, repo.lfs(sha), headers)


def ranged(call: Call, content: bytes, headers: dict[str, str]) -> Answer:
    """A file's bytes, or the range of them that is asked for."""
    kind = mimetypes.guess_type(call.path)[0] or "application/octet-stream"
    headers = {**headers, "Content-Type": kind, "Content-Length": str(len(content))}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", call.request.headers.get("Range", ""))
    if not asked or not (asked[1] or asked[2]):
        return Answer(200, content, headers)
    size = len(content)
    first = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
    last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
    if first > last:
        raise HubError(416, "Range Not Satisfiable", headers={"Content-Range": f"bytes */{size}"})
    part = content[first : last + 1]
    span = {"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": str(len(part))}
    return Answer(206, part, {**headers, **span})
