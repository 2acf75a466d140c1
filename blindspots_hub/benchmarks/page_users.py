"""Many visitors at once: each opens a card, looks at its pictures, and opens the next."""

from __future__ import annotations

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

_ADDRESS = re.compile(r'src=\\?"(pictures/[^"\\]+)')


@dataclass
class Crowd:
    """Seconds of every card, and what went wrong."""

    cards: list[float] = field(default_factory=list)
    pictures: int = 0
    faults: list[str] = field(default_factory=list)


def crowd(request: dict[str, Any], n_concepts: int, users: int, seconds: float) -> Crowd:
    """Let `users` open cards for `seconds`; `request` is that of a browser that opened one."""
    found, lock = Crowd(), threading.Lock()
    end = time.perf_counter() + seconds
    threads = [
        threading.Thread(target=_user, args=(number, request, n_concepts, end, found, lock))
        for number in range(users)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _user(
    number: int,
    request: dict[str, Any],
    n_concepts: int,
    end: float,
    found: Crowd,
    lock: threading.Lock,
) -> None:
    import http.client

    place = urlsplit(request["url"])
    rng = np.random.default_rng(number)
    path = f"{place.path}?{place.query}" if place.query else place.path
    line = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=60)
    time.sleep(float(rng.uniform(0, PAUSE)))
    while time.perf_counter() < end:
        body = {
            **request["body"],
            "event_data": {"i": int(rng.integers(n_concepts))},
            "session_hash": f"visitor{number}",
        }
        began = time.perf_counter()
        try:
            line.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            answer = line.getresponse()
            text = answer.read().decode("utf-8", "replace")
            took = time.perf_counter() - began
            fault = "" if answer.status == 200 and "data-concept" in text else text[:200]
            seen = 0
            for address in _ADDRESS.findall(text)[:PICTURES]:
                line.request("GET", f"/{address}".replace("&amp;", "&"))
                picture = line.getresponse()
                picture.read()
                seen += picture.status == 200
        except (OSError, http.client.HTTPException) as error:
            fault, took, seen = repr(error), time.perf_counter() - began, 0
            line.close()
        with lock:
            found.cards.append(took)
            found.pictures += seen
            if fault:
                found.faults.append(fault)
        time.sleep(PAUSE)
    line.close()
