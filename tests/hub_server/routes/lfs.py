"""Large files on their way in: where to put them, the bytes, and whether they arrived."""

from __future__ import annotations

from hub_server.errors import HubError
from hub_server.routes.files import storage_url, stored
from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json


@route("POST", "/{prefix}{repo}.git/info/lfs/objects/batch", "lfs.batch")
def batch(call: Call) -> Answer:
    # A pull request's objects are uploaded before it exists: any token that writes may.
    repo, said = call.writable(pull_request=True), call.request.json()
    if said.get("operation") != "upload":
        raise HubError(400, "Only uploads: files are downloaded by /resolve/")
    objects = []
    for wanted in said["objects"]:
        sha = wanted["oid"]
        found = {"oid": sha, "size": wanted["size"], "authenticated": True}
        if not repo.lfs_path(sha).is_file():
            base = f"{call.server.endpoint}/{call.params['prefix']}{repo.id}.git/info/lfs"
            found["actions"] = {
                "upload": {"href": storage_url(call, repo, "PUT", sha), "header": {}},
                "verify": {"href": f"{base}/objects/verify"},
            }
        objects.append(found)
    return answer_json({"transfer": "basic", "objects": objects})


@route("PUT", "/storage/{prefix}{repo}/{sha}", "lfs.upload")
def upload(call: Call) -> Answer:
    pointer = stored(call).store_lfs(call.params["sha"], call.request.read())
    return Answer(200, headers={"ETag": f'"{pointer.sha256[:32]}"'})


@route("POST", "/{prefix}{repo}.git/info/lfs/objects/verify", "lfs.verify")
def verify(call: Call) -> Answer:
    repo, said = call.writable(pull_request=True), call.request.json()
    path = repo.lfs_path(said["oid"])
    if not path.is_file() or path.stat().st_size != said["size"]:
        raise HubError(404, "The object has not arrived, or not whole")
    return answer_json({})
