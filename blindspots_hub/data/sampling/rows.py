"""Rows of a sample's files: what became of a candidate, and the pair that it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from blindspots_hub.data.fetching.causes import NotFetched
from blindspots_hub.data.fetching.many import FromWeb
from blindspots_hub.data.identity import CaptionError, check_caption, pair_id
from blindspots_hub.data.sampling.candidates import Candidate
from blindspots_hub.data.spool import Spool


def unfetched(row: Candidate) -> str | None:
    """Why a candidate is not worth fetching."""
    try:
        check_caption(row.caption)
    except CaptionError as error:
        return error.cause
    return "unsafe" if row.unsafe else None


def attempt(row: Candidate, found: FromWeb | NotFetched | str) -> dict[str, Any]:
    """The row of `blocks.ATTEMPT`; `found` is a cause where nothing was fetched."""
    told: dict[str, Any] = {
        "place": row.place,
        "key": row.key,
        "url": _text(row.url),
        "caption": _text(row.caption),
    }
    if isinstance(found, str):
        return {**told, "cause": found}
    if isinstance(found, NotFetched):
        return {**told, "cause": found.cause, "status": found.status, "tries": found.tries}
    image = found.image
    return {
        **told,
        "cause": "ok",
        "status": 200,
        "final_url": found.url,
        "redirects": found.redirects,
        "tries": found.tries,
        "bytes": found.bytes,
        "format": image.kind,
        "width": image.width,
        "height": image.height,
        "sha256": image.sha256,
        "perceptual_hash": image.perceptual_hash,
    }


def pair_rows(rows: list[dict[str, Any]], spool: Spool | None) -> Iterator[dict[str, Any]]:
    """Rows of the pairs among these attempts, their images read from `spool`."""
    for told in rows:
        assert spool is not None
        content = spool.read(str(told["place"]))
        caption = check_caption(told["caption"])
        name = pair_id(caption, content)
        yield {
            "pair_id": name,
            "caption": caption,
            "image": {"bytes": content, "path": f"{name}.{told['format'].lower()}"},
            "url": told["url"],
            "image_sha256": told["sha256"],
            **{key: told[key] for key in ("width", "height", "place", "key")},
        }


def _number(value: object) -> int | None:
    try:
        return int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return value[:8192].encode("utf-8", "replace").decode()


def recorded(row: Candidate, found: FromWeb, spool: Spool | None) -> dict[str, Any]:
    """Whether the size and hash that the table recorded still hold; None where it has none."""
    image, known = found.image, row.recorded
    told: dict[str, Any] = {}
    size = [_number(known.get(name)) for name in ("width", "height")]
    if None not in size:
        told["size_matches"] = size == [image.width, image.height]
    if isinstance(known.get("sha256"), str):
        told["hash_matches"] = known["sha256"].lower() == image.sha256
    elif isinstance(known.get("md5"), str) and spool is not None:
        content = spool.read(str(row.place))
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        told["hash_matches"] = known["md5"].lower() == md5
    return told
