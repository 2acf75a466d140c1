"""Answers that an object keeps as long as it lives."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

KEPT = 64
"""Answers of one kind that are kept."""


def kept(method: Method) -> Method:
    """A method of plain arguments that keeps its answers until `forget`."""

    @wraps(method)
    def asked(self: Any, *args: Any) -> Any:
        answers = self.__dict__.setdefault("_answers", {}).setdefault(method.__name__, {})
        if args not in answers:
            while len(answers) >= KEPT:
                answers.pop(next(iter(answers)))
            answers[args] = method(self, *args)
        return answers[args]

    return asked  # type: ignore[return-value]


def forget(whose: object) -> None:
    """Let go of all answers that an object keeps."""
    whose.__dict__.pop("_answers", None)
