"""Checks of JSON values that come from elsewhere: all that is wrong, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

Check = Callable[[object, str], Iterator[str]]
"""Yields a sentence for everything that is wrong with a value, which is found at a place."""

NOTHING: Mapping[str, Check] = MappingProxyType({})


def _must(test: Callable[[object], bool], what: str) -> Check:
    def check(value: object, where: str) -> Iterator[str]:
        if not test(value):
            yield f"{where} is {_short(value)} instead of {what}"

    return check


def _short(value: object) -> str:
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:57]}..."


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


anything: Check = _must(lambda value: True, "anything")
text: Check = _must(lambda value: isinstance(value, str), "a text")
count: Check = _must(_whole, "a whole number from 0")
number: Check = _must(_number, "a number")


def one_of(*allowed: str) -> Check:
    """One of some texts."""
    return _must(lambda value: value in allowed, " or ".join(allowed))


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
            yield from check(one, f"{where}.{name}")

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
