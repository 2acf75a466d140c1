"""The first images of a run: where all of them are blank or fail, it stops at once."""

from __future__ import annotations

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, Generated, Outcome, TextToImage

FIRST = 4
"""Images that are looked at before any of them is kept."""


class FirstImages:
    """Holds the outcomes of a run back until one of them is an image that shows something.

    What a safety checker blacked out is about the caption, and counts as that.
    """

    def __init__(self, pipeline: TextToImage, expected: int, some_are_kept: bool) -> None:
        """`expected`: images that are yet to be drawn, of which fewer than `FIRST` are enough."""
        self._pipeline, self._enough = pipeline, min(FIRST, expected)
        self._held: list[tuple[str, Outcome]] = []
        self._passed = some_are_kept

    def take(self, name: str, outcome: Outcome) -> list[tuple[str, Outcome]]:
        """The outcomes that are to be kept now, this one or more or none.

        Raises `BlindspotsError` where the first images are all blank or have all failed.
        """
        self._held.append((name, outcome))
        self._passed = self._passed or not _shows_nothing(outcome)
        if not self._passed and len(self._held) >= self._enough:
            raise BlindspotsError(self._sentence())
        return self.rest() if self._passed else []

    @property
    def holds(self) -> bool:
        """Whether outcomes are held back."""
        return bool(self._held)

    def rest(self) -> list[tuple[str, Outcome]]:
        """What is held back, which is then to be kept."""
        held, self._held = self._held, []
        return held

    def _sentence(self) -> str:
        count = len(self._held)
        reasons = [one.reason for _, one in self._held if isinstance(one, Failed)]
        title = self._pipeline.model.title
        if reasons:
            return (
                f"None of the first {count} captions could be drawn by {title} (the first: "
                f"{reasons[0]}): mend the cause and run the same command again; nothing of this is "
                "kept."
            )
        dtype = self._pipeline.dtype
        told = f"The first {count} images of {title} are blank, each all one colour: "
        if dtype == "float32":
            return (
                f"{told}nothing can be measured; check its weights, scheduler and steps (--steps)."
            )
        other = "bfloat16 or float32" if dtype == "float16" else "float32"
        return (
            f"{told}it was run in {dtype}, whose range its numbers probably leave; run it with "
            f"--dtype {other}. Nothing of this is kept."
        )


def _shows_nothing(outcome: Outcome) -> bool:
    if isinstance(outcome, Generated):
        return "blank" in outcome.flags and not outcome.unsafe
    return True
