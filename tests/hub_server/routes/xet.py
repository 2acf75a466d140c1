"""Who may go to xet storage, and where it is."""

from __future__ import annotations

import time

from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json


@route("GET", "/api/{kind}s/{repo}/xet-read-token/{revision}", "xet.read")
def read_token(call: Call) -> Answer:
    call.open()
    return _token(call)


@route("GET", "/api/{kind}s/{repo}/xet-write-token/{revision}", "xet.write")
def write_token(call: Call) -> Answer:
    call.writable(call.request.flag("create_pr"))
    return _token(call)


def _token(call: Call) -> Answer:
    expires, where = int(time.time()) + 3600, call.server.xet.endpoint
    said = {"casUrl": where, "accessToken": "xet", "exp": expires}
    headers = {
        "X-Xet-Cas-Url": where,
        "X-Xet-Access-Token": "xet",
        "X-Xet-Token-Expiration": str(expires),
    }
    return answer_json(said, headers=headers)
