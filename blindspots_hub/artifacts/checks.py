"""Checks of JSON values that come from elsewhere: all that is wrong, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from blindspots_hub.artifacts.limits import CAPTION as LONGEST
from blindspots_hub.artifacts.limits import TITLE

Check = Callable[[object, str], Iterator[str]]
"""Yields a sentence for everything that is wrong with a value, which is found at a place."""

NOTHING: Mapping[str, Check] = MappingProxyType({})


def _must(test: Callable[[object], bool], what: str) -> Check:
    def check(value: object, where: str) -> Iterator[str]:
        if not test(value):
            yield f"{where} is {_short(value)} instead of {what}"

    return check


def _short(value: object) -> str:
    if isinstance(value, (list, dict)) and len(value) > 20:
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value):,}"
    if isinstance(value, int) and abs(value) > 10**20:
        return "a number of more than 20 digits"
    told = repr(value[:100] if isinstance(value, str) else value)
    return told if len(told) <= 60 else f"{told[:57]}..."


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _number(value: object) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
    )  # false of NaN, too


def _text(longest: int) -> Callable[[object], bool]:
    """Texts that can be written down: half a character, which JSON can hold, is none."""

    def test(value: object) -> bool:
        if not isinstance(value, str) or len(value) > longest:
            return False
        return not any("\ud800" <= letter <= "\udfff" for letter in value)

    return test


anything: Check = _must(lambda value: True, "anything")


def _a_text(longest: int) -> Check:
    is_text = _must(lambda value: isinstance(value, str), "a text")
    fits = _must(_text(longest), f"a text of at most {longest:,} characters")
    return lambda value, where: (fits if isinstance(value, str) else is_text)(value, where)


text: Check = _a_text(LONGEST)
title: Check = _a_text(TITLE)
count: Check = _must(_whole, "a whole number from 0")
number: Check = _must(_number, "a number")
flag: Check = _must(lambda value: isinstance(value, bool), "true or false")
share: Check = _must(lambda value: _number(value) and 0 <= value <= 1, "a number from 0 to 1")  # type: ignore[operator]


def between(low: int, high: int) -> Check:
    """A whole number from `low` to `high`."""
    fits = _must(
        lambda value: low <= value <= high,  # type: ignore[operator]
        f"a whole number from {low:,} to {high:,}",
    )
    return lambda value, where: (fits if _whole(value) else count)(value, where)


def inside(low: float, high: float) -> Check:
    """A number between `low` and `high`, neither of them."""
    fits = _must(
        lambda value: low < value < high,  # type: ignore[operator]
        f"a number between {low:g} and {high:g}",
    )
    return lambda value, where: (fits if _number(value) else number)(value, where)


def at_most(most: int, check: Check) -> Check:
    """A list or object of at most `most` members that passes `check`."""

    def checked(value: object, where: str) -> Iterator[str]:
        if isinstance(value, (list, dict)) and len(value) > most:
            yield f"{where} has {len(value):,} members, of {most:,} at most"
            return
        yield from check(value, where)

    return checked


def one_of(*allowed: str) -> Check:
    """One of some texts."""
    return _must(lambda value: isinstance(value, str) and value in allowed, " or ".join(allowed))


def or_null(check: Check) -> Check:
    """What `check` lets through, or null."""
    return lambda value, where: iter(()) if value is None else check(value, where)


def list_of(check: Check, length: int | None = None) -> Check:
    """A list, of `length` where one is given, whose members each pass `check`."""

    def checked(value: object, where: str) -> Iterator[str]:
        if not isinstance(value, list) or length not in (None, len(value)):
            what = "a list" if length is None else f"a list of {length}"
            yield f"{where} is {_short(value)} instead of {what}"
            return
        for index, one in enumerate(value):
            yield from check(one, f"{where}[{index}]")

    return checked


def map_of(check: Check) -> Check:
    """An object whose values all pass `check`."""

    def checked(value: object, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is {_short(value)} instead of an object"
            return
        for name, one in value.items():
            yield from check(one, f"{where}.{name[:80]!s}")

    return checked


def record(
    required: Mapping[str, Check] = NOTHING, optional: Mapping[str, Check] = NOTHING
) -> Check:
    """An object that has the fields `required` and may have `optional` ones; others pass."""

    def checked(value: object, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is {_short(value)} instead of an object"
            return
        for name in required:
            if name not in value:
                yield f"{where} lacks {name!r}"
        for name, check in {**required, **optional}.items():
            if name in value:
                yield from check(value[name], f"{where}.{name}")

    return checked
