"""Who one is, what a card may say, and that somebody is there at all."""

from __future__ import annotations

from hub_server.cards import check_card
from hub_server.routing import Call, route
from hub_server.wire import Answer, answer_json


@route("GET", "/", "home")
def home(call: Call) -> Answer:
    return Answer(200, b"<html>a Hub for tests</html>", {"Content-Type": "text/html"})


@route("GET", "/api/whoami-v2", "whoami")
def whoami(call: Call) -> Answer:
    return answer_json(call.server.accounts.whoami(call.account()))


@route("POST", "/api/validate-yaml", "card.check")
def validate_yaml(call: Call) -> Answer:
    said = call.request.json()
    errors, warnings = check_card(said["content"], said.get("repoType", "model"))
    found = {
        "errors": [{"message": message} for message in errors],
        "warnings": [{"message": message} for message in warnings],
    }
    return answer_json(found, 400 if errors else 200)
