"""Many visitors at once: each opens a card, looks at its pictures, and opens the next."""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

PAUSE = 1.0
"""Seconds that a visitor looks at a card: fewer than anybody does."""

PICTURES = 20
"""Pictures of a card that are asked for: those that stand in sight."""

_CONCEPT = re.compile(r"concept=\d+")
_ADDRESS = re.compile(r'src=\\?"(pictures/[^"\\]+)')


@dataclass
class Crowd:
    """Seconds of every card, and what went wrong."""

    cards: list[float] = field(default_factory=list)
    pictures: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Opening:
    """What a browser sends that opens a card: the page's address, the card's, and the event."""

    page: str
    card: str
    event: dict[str, Any]


def crowd(opening: Opening, n_concepts: int, users: int, seconds: float) -> Crowd:
    """Let `users` open cards for `seconds`, each as a browser opened one."""
    found, lock = Crowd(), threading.Lock()
    end = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=_user, args=(number, opening, n_concepts, end, found, lock))
        for number in range(users)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _user(
    number: int, opening: Opening, n_concepts: int, end: float, found: Crowd, lock: threading.Lock
) -> None:
    """One visitor: a card, its pictures, and the event that notes what is open."""
    import http.client

    place = urlsplit(opening.page)
    rng = np.random.default_rng(number)
    line = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=60)
    asked = {"accept-encoding": "gzip"}
    time.sleep(float(rng.uniform(0, PAUSE)))
    while time.perf_counter() < end:
        concept = int(rng.integers(n_concepts))
        body = {
            **opening.event["body"],
            "event_data": {"i": concept},
            "session_hash": f"visitor{number}",
        }
        began, fault, seen = time.perf_counter(), "", 0
        try:
            line.request("GET", _CONCEPT.sub(f"concept={concept}", opening.card), headers=asked)
            answer = line.getresponse()
            text = _unpacked(answer)
            took = time.perf_counter() - began
            if answer.status != 200 or "data-concept" not in text:
                fault = text[:200]
            line.request(
                "POST",
                opening.event["path"],
                json.dumps(body),
                {"content-type": "application/json", **asked},
            )
            noted = line.getresponse()
            told = _unpacked(noted)
            if noted.status != 200:
                fault = told[:200]
            for address in _ADDRESS.findall(text)[:PICTURES]:
                line.request("GET", f"/{address}".replace("&amp;", "&"))
                picture = line.getresponse()
                picture.read()
                seen += picture.status == 200
        except (OSError, http.client.HTTPException) as error:
            fault, took = repr(error), time.perf_counter() - began
            line.close()
        with lock:
            found.cards.append(took)
            found.pictures += seen
            if fault:
                found.faults.append(fault)
        time.sleep(PAUSE)
    line.close()


def _unpacked(answer: Any) -> str:
    content = answer.read()
    if answer.headers.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    return str(content.decode("utf-8", "replace"))
