"""Opt-outs that an answer carries: `X-Robots-Tag: noai`, as img2dataset reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

AGENT = "blindspots-hub"
"""By which a header may address this program; also the `User-Agent`."""

AGENTS = (AGENT, "img2dataset")
"""Whom a rule may name to mean us: tools that fetch lists of images are one kind."""


def opted_out(headers: Iterable[tuple[bytes, bytes]], respected: Collection[str]) -> str | None:
    """The first directive of an answer's headers that is `respected`; None where there is none.

    A rule for another program ("googlebot: noai") does not count.
    """
    for name, value in headers:
        if name.lower() != b"x-robots-tag":
            continue
        agent: str | None = None
        for part in value.decode("latin-1")[:4096].lower().split(","):
            before, colon, after = part.partition(":")
            # "unavailable_after: DATE" is a directive with a value, and not a program's name.
            if colon and before.strip() not in ("unavailable_after", "max-snippet"):
                agent, part = before.strip(), after
            if part.strip() in respected and (agent is None or agent in (*AGENTS, "*")):
                return part.strip()
    return None
