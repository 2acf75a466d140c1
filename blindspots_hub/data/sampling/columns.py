"""Columns of tables of captions and addresses: LAION's, COYO's, CC12M's, img2dataset's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blindspots_hub.data.column_names import listed, only_one
from blindspots_hub.data.text_tables import column_of
from blindspots_hub.errors import BlindspotsError

URL = ("url", "image_url")
CAPTION = ("caption", "text", "prompt", "top_caption")
WIDTH, HEIGHT = ("original_width", "width"), ("original_height", "height")
SHA256, MD5 = ("sha256", "image_sha256"), ("md5", "image_md5")

UNSAFE = 0.5
"""Largest score of a column of unsafe content: LAION's own bound of `punsafe`."""

WATERMARK = 0.8
"""Largest score of a column of watermarks: LAION's own bound of `pwatermark`."""

_UNSAFE = ("punsafe", "nsfw_score", "nsfw_score_opennsfw2", "nsfw_score_gantman")
_WATERMARK = ("pwatermark", "watermark_score")
_WORDS = {"nsfw": ("unlikely",)}


@dataclass(frozen=True)
class Safety:
    """Which rows are left out unfetched, by the columns that a table has.

    `max_unsafe` bounds punsafe, nsfw_score and COYO's two nsfw scores, `max_watermark` pwatermark
    and watermark_score, both 0 to 1; at 1 the column does not count. LAION-2B's column NSFW must
    say UNLIKELY, unless `max_unsafe` is 1. A row whose score is missing is left out.
    """

    max_unsafe: float = UNSAFE
    max_watermark: float = WATERMARK

    def __post_init__(self) -> None:
        for name in ("max_unsafe", "max_watermark"):
            if not 0 <= getattr(self, name) <= 1:
                raise BlindspotsError(
                    f"{name} {getattr(self, name)} is out of range: use 0 to 1, where 1 lets "
                    "everything through."
                )

    def bounds(self) -> dict[str, float]:
        """Largest value by column."""
        return {
            **(dict.fromkeys(_UNSAFE, self.max_unsafe) if self.max_unsafe < 1 else {}),
            **(dict.fromkeys(_WATERMARK, self.max_watermark) if self.max_watermark < 1 else {}),
        }

    def words(self) -> dict[str, tuple[str, ...]]:
        """Allowed words by column."""
        return dict(_WORDS) if self.max_unsafe < 1 else {}


@dataclass(frozen=True)
class Columns:
    """Names of the columns that are read, as a table spells them."""

    url: str
    caption: str
    recorded: Mapping[str, str] = field(default_factory=dict)
    """`width`, `height`, `sha256`, `md5`, where the table has them."""
    bounded: Mapping[str, float] = field(default_factory=dict)
    worded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        where: str,
        safety: Safety,
        url: str | None = None,
        caption: str | None = None,
    ) -> Columns:
        """Find them among `names`, or those that `url` and `caption` name, or raise."""
        there = list(names)
        wanted: dict[str, tuple[str, ...]] = {
            "addresses": (url,) if url else URL,
            "captions": (caption,) if caption else CAPTION,
        }
        found = {}
        for what, names_of in wanted.items():
            found[what] = column_of(there, tuple(name.lower() for name in names_of))
            if found[what] is None:
                raise BlindspotsError(
                    f"{where} has no column of {what} ({' or '.join(names_of)}; it has "
                    f"{listed(there)}): name it with --caption-column or --url-column."
                )
            only_one(there, str(found[what]), where)
        recorded = {"width": WIDTH, "height": HEIGHT, "sha256": SHA256, "md5": MD5}
        known = {name: column_of(there, spelt) for name, spelt in recorded.items()}
        bounded = {column_of(there, (name,)): most for name, most in safety.bounds().items()}
        worded = {column_of(there, (name,)): some for name, some in safety.words().items()}
        return cls(
            str(found["addresses"]),
            str(found["captions"]),
            {name: spelt for name, spelt in known.items() if spelt is not None},
            {name: most for name, most in bounded.items() if name is not None},
            {name: some for name, some in worded.items() if name is not None},
        )

    @property
    def read(self) -> list[str]:
        """All of them."""
        named = (self.url, self.caption, *self.recorded.values(), *self.bounded, *self.worded)
        return list(dict.fromkeys(named))

    def unsafe(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is left out by what its safety columns say."""
        for name, most in self.bounded.items():
            if not _number(row.get(name)) <= most:  # NaN, too
                return True
        return any(
            str(row.get(name) or "").lower() not in some for name, some in self.worded.items()
        )


def _number(score: Any) -> float:
    """A score as a number, which tables of text and decimals spell; NaN where it is none."""
    try:
        return math.nan if score is None else float(score)
    except (TypeError, ValueError, OverflowError):
        return math.nan
