"""What is in a revision: folders paged, and single paths."""

from __future__ import annotations

from urllib.parse import parse_qs

from hub_server.errors import no_entry
from hub_server.repository import Entry, Repository
from hub_server.routes.repos import iso
from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json


@route("GET", "/api/{kind}s/{repo}/tree/{revision}/{path}", "tree")
@route("GET", "/api/{kind}s/{repo}/tree/{revision}", "tree")
def tree(call: Call) -> Answer:
    repo = call.readable()
    sha, below = repo.resolve(call.params["revision"]), call.params.get("path", "").strip("/")
    entries = repo.entries(sha)
    if below and not (below in entries and entries[below].folder):
        raise no_entry(below, sha)
    start = f"{below}/" if below else ""
    recursive, expand = call.request.flag("recursive"), call.request.flag("expand")
    found = [
        entry
        for path, entry in entries.items()
        if path.startswith(start) and (recursive or "/" not in path[len(start) :])
    ]
    size = min(call.server.page_size, 50) if expand else call.server.page_size
    return call.page(found, size, lambda entry: say(call, repo, sha, entry, expand))


@route("POST", "/api/{kind}s/{repo}/paths-info/{revision}", "paths")
def paths_info(call: Call) -> Answer:
    repo = call.readable()
    sha = repo.resolve(call.params["revision"])
    if "json" in call.request.headers.get("Content-Type", ""):
        asked = call.request.json()
        paths, expand = asked["paths"], bool(asked.get("expand"))
    else:
        form = parse_qs(call.request.read().decode())
        paths, expand = form.get("paths", []), form.get("expand", ["false"])[0] == "true"
    entries = repo.entries(sha)
    found = [entries[path] for path in paths if path in entries]
    return answer_json([say(call, repo, sha, entry, expand) for entry in found])


def say(call: Call, repo: Repository, sha: str, entry: Entry, expand: bool) -> dict[str, object]:
    """A file or folder as the API describes it."""
    kind = "directory" if entry.folder else "file"
    said: dict[str, object] = {
        "type": kind,
        "oid": entry.oid,
        "size": entry.size,
        "path": entry.path,
    }
    if entry.lfs:
        pointer = len(entry.lfs.content())
        said["lfs"] = {"oid": entry.lfs.sha256, "size": entry.size, "pointerSize": pointer}
        in_xet = call.server.xet.find(entry.lfs.sha256)
        if in_xet:
            said["xetHash"] = in_xet.hash
    if expand:
        last = repo.commit(sha)
        for commit in repo.commits(sha):
            there = repo.entries(commit.sha).get(entry.path)
            if there is None or there.oid != entry.oid:
                break
            last = commit
        title = last.message.partition("\n\n")[0]
        said["lastCommit"] = {"id": last.sha, "title": title, "date": iso(last.when)}
    return said
