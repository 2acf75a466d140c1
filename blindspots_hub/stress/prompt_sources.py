"""Where prompts come from: given, a file, captions, templates, a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.data.identity import CaptionError, check_caption, choose_pairs
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.stress.naming_captions import naming_rows, silent_rows, words_of
from blindspots_hub.stress.prompt_lines import (
    FILE_BYTES,
    LABEL,
    filled,
    json_list,
    numbered_list,
    read_lines,
)
from blindspots_hub.stress.prompts import LEAST, MOST, Prompts, prompt_id
from blindspots_hub.stress.verdict import EXAGGERATED, SUPPRESSED

ANSWER_TOKENS = 8_192
"""Tokens that a list of prompts may have: a thousand characters and more for every tenth prompt."""

TEMPLATES = Path(__file__).with_name("templates.txt")
"""The lines that are filled with a concept's name unless others are given."""

ASK = Path(__file__).with_name("ask.txt")
"""What a language model is asked: the paper's words (appendix G), and for JSON."""

LEAST_NAMED = 10
"""Captions that must name a concept before they are taken for prompts unasked."""

GIVEN = "given"
"""Origin of prompts that somebody wrote."""

Ask = Callable[[str], str]
"""Sends one text to a language model and returns its answer."""


def silent_prompts(bundle: Bundle, concept: int, count: int, seed: int) -> Prompts:
    """`count` captions that do not name the concept, chosen by `seed`, whatever their images show.

    They are a sample of those whose natural images say how often it is to be expected.
    """
    captions, label = _natural_captions(bundle), bundle.labels[concept]
    texts = {captions[row].strip() for row in silent_rows(captions, label).tolist()}
    by_id = {prompt_id(text): text for text in sorted(texts) if _usable(text)}
    chosen = choose_pairs(by_id, min(count, len(by_id)), seed)
    origin = "captions that do not name it" if words_of(label) else "captions of any kind"
    return Prompts.of(
        [by_id[i] for i in chosen], origin, f"Of captions that do not name {label!r}, the bundle"
    )


def caption_prompts(bundle: Bundle, concept: int, count: int, seed: int) -> Prompts:
    """`count` captions that name the concept, chosen by `seed`, or all where there are fewer.

    Where too few name it they are those of the natural images in which it fires strongest.
    """
    captions = _natural_captions(bundle)
    texts = sorted(_naming(captions, bundle.labels[concept]))
    if len(texts) >= LEAST_NAMED:
        by_id = {prompt_id(text): text for text in texts}
        chosen = choose_pairs(by_id, min(count, len(by_id)), seed)
        return Prompts.of([by_id[i] for i in chosen], "captions that name it", "The bundle")
    found = bundle.concept_energies(NATURAL, concept)
    rows = () if found is None else found.rows[np.argsort(-found.energies, kind="stable")]
    strongest = list(dict.fromkeys(captions[row].strip() for row in rows if _usable(captions[row])))
    return Prompts.of(
        strongest[:count],
        "captions of images in which it fires",
        f"Of the captions of images in which concept {concept} fires, the bundle",
    )


def _naming(captions: Sequence[str], label: str) -> set[str]:
    """The captions that name a concept and can be prompts."""
    named = naming_rows(captions, label)
    return {captions[row].strip() for row in named if _usable(captions[row])}


def _usable(caption: str) -> bool:
    try:
        check_caption(caption)
    except CaptionError:
        return False
    return True


def usual_prompts(bundle: Bundle, concept: int, count: int, seed: int) -> Prompts:
    """What is taken where nothing is said: captions that name the concept, else templates.

    Without a name: captions of the images in which it fires.
    """
    label = bundle.labels[concept]
    captions = _natural_captions(bundle)
    if label and len(_naming(captions, label)) < LEAST_NAMED:
        return template_prompts(bundle, concept, count)
    return caption_prompts(bundle, concept, count, seed)


def template_prompts(bundle: Bundle, concept: int, count: int) -> Prompts:
    """The first `count` templates with the concept's name; without one a `BlindspotsError`."""
    lines = filled(read_lines(TEMPLATES)[:count], bundle.labels[concept], concept)
    return Prompts.of(lines, "templates", "The templates")


def written_prompts(ask: Ask, name: str, label: str, concept: int, count: int) -> Prompts:
    """`count` prompts that a language model writes about a concept's name, in the paper's words.

    `ask` sends one text and returns the answer. Raises `BlindspotsError` for an answer that holds
    no list of prompts.
    """
    if not label:
        raise BlindspotsError(
            f"Concept {concept} has no name that {name} could write about: name it (labels BUNDLE "
            f'--set {concept} "…").'
        )
    asked = ASK.read_text(encoding="utf-8").strip()
    answer = ask(asked.replace(LABEL, label).replace("{count}", str(count)))[:FILE_BYTES]
    texts = json_list(answer) or numbered_list(answer)
    usable = [text for text in texts if _usable(text)]
    if len(usable) < LEAST:
        raise BlindspotsError(
            f"{name} wrote no list of prompts about {label!r}: ask it again, or give prompts in a "
            "file."
        )
    return Prompts.of(usable[:count], f"written by {name}", f"The answer of {name}")


def _natural_captions(bundle: Bundle) -> list[str]:
    return bundle.captions(bundle.image_ids(NATURAL))


@dataclass(frozen=True)
class PromptSource:
    """Where prompts come from: "usual", "captions", "templates", "given" or "written".

    `lines` are those given, which may hold `{label}`, and `where` names them in sentences; `ask`
    is the language model that writes them, called `name`.
    """

    kind: str = "usual"
    lines: tuple[str, ...] = ()
    where: str = "The command"
    ask: Ask | None = None
    name: str = ""

    @classmethod
    def given(cls, lines: Sequence[str], where: str = "The command") -> PromptSource:
        """Prompts that somebody wrote."""
        return cls("given", tuple(lines), where)

    @classmethod
    def file(cls, path: Path) -> PromptSource:
        """Those of a file, a line each; `read_lines` tells what it may hold."""
        return cls.given(read_lines(path), str(path))

    def __call__(
        self, bundle: Bundle, concept: int, count: int, seed: int, direction: str = SUPPRESSED
    ) -> Prompts:
        """The prompts for one concept: `count` of them unless they are given.

        Of one that is tested as `EXAGGERATED` they do not ask for it; a `BlindspotsError` where
        they would.
        """
        if not LEAST <= count <= MOST:
            raise BlindspotsError(
                f"{count:,} prompts were asked for: ask for {LEAST} to {MOST:,} a concept."
            )
        label = bundle.labels[concept]
        if direction == EXAGGERATED and self.kind in ("templates", "written"):
            raise BlindspotsError(
                f"Concept {concept} is put to the test as exaggerated, which prompts that ask for "
                "it cannot tell: take captions (the usual), or give prompts that do not name it."
            )
        if self.kind == "given":
            lines = filled(self.lines, label, concept)
            if direction == EXAGGERATED and len(named := naming_rows(lines, label)):
                raise BlindspotsError(
                    f"{self.where}: {lines[named[0]][:60]!r} asks for {label!r}, concept "
                    f"{concept}, which is put to the test as exaggerated: leave it out."
                )
            return Prompts.of(lines, GIVEN, self.where)
        if direction == EXAGGERATED:
            return silent_prompts(bundle, concept, count, seed)
        if self.kind == "written" and self.ask is not None:
            return written_prompts(self.ask, self.name, label, concept, count)
        if self.kind == "templates":
            return template_prompts(bundle, concept, count)
        chosen = caption_prompts if self.kind == "captions" else usual_prompts
        return chosen(bundle, concept, count, seed)
