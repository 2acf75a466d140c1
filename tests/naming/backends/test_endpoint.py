"""Endpoints: keys, tries, bounds, and one sentence for each way in which they fail."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from chat_fixtures import ChatServer, Reply, chat
from PIL import Image

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.backends.address import KEY
from blindspots_hub.naming.backends.base import LONGEST_ANSWER, Question, Unanswered, ask_all
from blindspots_hub.naming.backends.bounded_answers import MOST_BYTES
from blindspots_hub.naming.backends.endpoint import Endpoint
from blindspots_hub.naming.backends.tries import LONGEST_WAIT, WAITS

__all__ = ["chat"]


def endpoint(server: ChatServer, slept: list[float] | None = None, **options: Any) -> Endpoint:
    sleep = (slept if slept is not None else []).append
    return Endpoint.of(server.url, "tiny", sleep=sleep, **options)


def test_words_and_images_go_out_and_an_answer_comes_back(
    chat: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "sk-secret")
    asking = endpoint(chat)
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert asking.ask("What is it?", [red, red]) == "yes"
    sent = chat.asked[0]
    assert (sent.path, sent.prompt) == ("/v1/chat/completions", "What is it?")
    assert sent.json["model"] == "tiny"
    assert sent.json["temperature"] == 0
    assert [one.partition(",")[0] for one in sent.images] == ["data:image/jpeg;base64"] * 2
    assert sent.headers["authorization"] == "Bearer sk-secret"
    assert asking.ask("And now?") == "yes"
    assert chat.asked[1].images == []
    assert (asking.usage.questions, asking.usage.prompt_tokens) == (2, chat.tokens)
    assert "secret" not in repr(asking) + asking.name
    assert asking.name == "tiny (127.0.0.1)"


def test_the_hubs_token_goes_to_no_other_host(
    chat: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_private")
    endpoint(chat).ask("x")
    assert chat.asked[0].headers["authorization"] == "Bearer none"


@pytest.mark.parametrize("code", [429, 500, 503])
def test_what_passes_is_tried_again(chat: ChatServer, code: int) -> None:
    slept: list[float] = []
    chat.answer = lambda request, before: Reply(status=code if before < 2 else 200)
    asking = endpoint(chat, slept)
    assert asking.ask("x") == "yes"
    assert len(chat.asked) == 3
    assert slept == pytest.approx(WAITS[:2], rel=0.05)
    assert (asking.usage.questions, asking.usage.tries_again) == (1, 2)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_server_says_how_long_to_wait(chat: ChatServer, form: str) -> None:
    slept: list[float] = []
    when = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=34), usegmt=True)
    told = {"Retry-After": "33" if form == "seconds" else when}
    chat.answer = lambda request, before: Reply(status=200 if before else 429, headers=told)
    assert endpoint(chat, slept).ask("x") == "yes"
    assert len(slept) == 1
    assert 25 < slept[0] < 35


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(status=401), "does not accept the key (401): set BLINDSPOTS_API_KEY"),
        (Reply(status=403), "does not accept the key (403)"),
        (Reply(status=404), "is not there (404): check the endpoint's address"),
        (Reply(status=400), "does not understand the question (400), perhaps because the model ta"),
        (Reply(status=402), "wants to be paid"),
        (Reply(status=429), "wants fewer questions (429)"),
        (Reply(status=500), "fails (500): run the same again later"),
        (Reply(status=429, headers={"Retry-After": str(LONGEST_WAIT * 9)}), "left alone for 1,080"),
    ],
)
def test_what_does_not_pass_is_one_sentence(chat: ChatServer, reply: Reply, told: str) -> None:
    chat.answer = lambda request, before: reply
    with pytest.raises(BlindspotsError) as error:
        endpoint(chat).ask("x", [Image.new("RGB", (4, 4))])
    assert told in str(error.value)
    assert not isinstance(error.value, Unanswered)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(body=b"<html>Bad gateway</html>"), "answers what is no chat completion"),
        (Reply(body=b'{"choices": [{"message"'), "answers what is no chat completion"),
        (Reply(body=b"[" * 100_000), "answers what is no chat completion"),
        (Reply(body=b'{"error": "busy"}'), "answers"),
        (Reply(body=b'{"choices": []}'), "answers"),
        (Reply(body=b"[]"), "answers"),
        (Reply(body=b"\xff\xfe"), "answers"),
        (Reply(words=""), "answers nothing"),
        (Reply(words=None), "answers nothing"),
        (Reply(words=None, refusal="I cannot"), "refuses"),
        (Reply(words="hm", finish="content_filter"), "refuses"),
        (Reply(words="x" * (MOST_BYTES + 1)), "answers more than 1,024 KB"),
        (Reply(headers={"Content-Encoding": "gzip"}, body=b"x"), "packs its answers"),
        (Reply(status=413), "too large"),
    ],
)
def test_one_bad_answer_is_of_one_question(chat: ChatServer, reply: Reply, told: str) -> None:
    chat.answer = lambda request, before: reply
    with pytest.raises(Unanswered) as error:
        endpoint(chat).ask("x")
    assert told in str(error.value)


def test_long_answers_are_cut(chat: ChatServer) -> None:
    chat.answer = lambda request, before: Reply(words="y" * 200_000)
    assert endpoint(chat).ask("x") == "y" * LONGEST_ANSWER


def test_an_answer_without_end_is_given_up(chat: ChatServer) -> None:
    with pytest.raises(Unanswered, match="answers without end"):
        endpoint(chat, seconds=0.0).ask("x")


def test_nobody_there(chat: ChatServer) -> None:
    gone = ChatServer()
    gone._server.server_close()
    slept: list[float] = []
    with pytest.raises(BlindspotsError, match="cannot be reached: check its address"):
        endpoint(gone, slept).ask("x")
    assert slept == list(WAITS)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("ftp://host/v1", "no address"),
        ("http://", "no address"),
        ("http://host:99999/v1", "no address"),
        ("https://me:pass@host/v1", "has more than host and path"),
        ("https://host/v1?key=s3cret", "has more than host and path"),
        ("http://example.com/v1", "in the clear: give an address with https"),
        ("hf:owner/name", "needs a token of the Hugging Face Hub"),
        ("hf:", "Say which model"),
    ],
)
def test_wrong_addresses_and_no_key(
    chat: ChatServer, monkeypatch: pytest.MonkeyPatch, source: str, told: str
) -> None:
    monkeypatch.setenv(KEY, "k")
    with pytest.raises(BlindspotsError, match=told) as error:
        Endpoint.of(source, "tiny")
    assert "s3cret" not in str(error.value)
    assert "pass" not in str(error.value)


def test_many_questions_at_once(chat: ChatServer) -> None:
    def answer(request: dict[str, Any], before: int) -> Reply:
        number = int(request["messages"][0]["content"])
        return Reply(words="" if number % 5 == 0 else json.dumps(number))

    chat.answer = answer
    asking = endpoint(chat, at_once=4)
    found = dict(ask_all(asking, (Question(str(number)) for number in range(20))))
    assert sorted(found) == list(range(20))
    for number, one in found.items():
        assert isinstance(one, Unanswered) if number % 5 == 0 else one == str(number)


def test_what_ends_it_comes_after_the_answers_so_far(chat: ChatServer) -> None:
    chat.answer = lambda request, before: Reply(status=401 if before >= 3 else 200)
    asked = ask_all(endpoint(chat, at_once=1), (Question("x") for _ in range(20)))
    got = [next(asked) for _ in range(3)]
    assert got == [(0, "yes"), (1, "yes"), (2, "yes")]
    with pytest.raises(BlindspotsError, match="does not accept the key"):
        next(asked)
    assert len(chat.asked) == 4
