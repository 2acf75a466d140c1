"""The condition of a gate, such as "broken > 0": read before anything is compared, asked after."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass

from blindspots_hub.analysis.changes import CHANGES
from blindspots_hub.errors import BlindspotsError

NAMES = (*CHANGES, "judged", "pairs", "changed_share")
"""What a condition may be about."""

_OPERATORS = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_PART = re.compile(rf"\s*({'|'.join(NAMES)})\s*(<=|>=|==|!=|<|>)\s*([0-9]*\.?[0-9]+)\s*")


@dataclass(frozen=True)
class Condition:
    """Parts (name, sign, number), joined by "and" within a tuple and by "or" between them."""

    either: tuple[tuple[tuple[str, str, float], ...], ...]

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read e.g. "broken > 3 or changed_share >= 0.1"; anything else is a `BlindspotsError`."""
        either = [[_part(part) for part in one.split(" and ")] for one in text.split(" or ")]
        return cls(tuple(map(tuple, either)))

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether it is so of `values`, a number for each of `NAMES`."""
        return any(
            all(_OPERATORS[sign](values[name], number) for name, sign, number in every)
            for every in self.either
        )


def _part(text: str) -> tuple[str, str, float]:
    found = _PART.fullmatch(text)
    if found is None:
        raise BlindspotsError(
            f"{text.strip()!r} is no condition: write one such as 'broken > 0' about one of "
            f"{', '.join(NAMES)}, joined by 'and', 'or'."
        )
    name, sign, number = found.groups()
    return name, sign, float(number)
