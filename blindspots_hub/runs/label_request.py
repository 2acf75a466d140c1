"""How concepts are to be named, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from blindspots_hub.naming.backends.base import (
    Similarity,
    TextModel,
)
from blindspots_hub.naming.estimate import Estimate, Prices
from blindspots_hub.naming.faithfulness import Faithfulness

Source = str | Path | TextModel | Similarity


@dataclass(frozen=True)
class Naming:
    """How concepts are named.

    `prompts` is a folder whose name.txt and judge.txt take the place of ours; `vocabulary` a file
    of words, one a line, for similarity models (else the words of the captions). `judge` is a CLIP
    or SigLIP, "captions", "none", or None: the labeller itself, by its captions, images or answers.
    `again` names anew what was named so before. `clock` tells seconds.
    """

    concepts: Sequence[int] = ()
    most: int | None = None
    model: str | None = None
    judge: str | Path | Similarity | None = None
    vocabulary: Path | None = None
    prompts: Path | None = None
    at_once: int | None = None
    prices: Prices = field(default_factory=Prices)
    again: bool = False
    device: str | None = None
    only_estimate: bool = False
    clock: Callable[[], float] = monotonic


@dataclass(frozen=True)
class Labelled:
    """What came of it: names that there are now by this method, and their faithfulness.

    `asked` concepts were to be named, `named` have a name, `before` of these had it before;
    `unnamed` says how many have none, by why. `expected` is the estimate that was told before,
    its time by the first answers once there were some.
    """

    method: str
    model: str | None
    asked: int
    named: int
    before: int
    unnamed: dict[str, int]
    faithfulness: Faithfulness
    judge: str | None
    expected: Estimate | None

    @property
    def sentences(self) -> list[str]:
        """What a terminal says."""
        who = self.method + (f" by {self.model}" if self.model else "")
        kept = f", {self.before:,} of them before" if self.before else ""
        told = [f"{self.named:,} of {self.asked:,} concepts have a name ({who}{kept})."]
        told += [f"{count:,} without: {why}" for why, count in self.unnamed.items()]
        found = self.faithfulness
        if found.concepts:
            told.append(
                f"Faithfulness, judged by {self.judge}: AUROC {_interval(found.names)} over "
                f"{found.concepts:,} names on held-out images; {_interval(found.shuffled)} where "
                f"names are shuffled; a gain of {_interval(found.gain)}."
            )
        elif self.judge is not None and self.named:
            told.append("No name could be judged: too few held-out images fire, or can be shown.")
        return told


def _interval(figure: tuple[float, float, float]) -> str:
    return f"{figure[0]:.2f} [{figure[1]:.2f}, {figure[2]:.2f}]"
