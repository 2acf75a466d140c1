"""Prompts of stress tests: given, of a file, of captions, or written by a language model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.schema import STRESS_DIRECTIONS
from blindspots_hub.data.identity import CaptionError, check_caption, choose_pairs
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint
from blindspots_hub.utils.text_encoding import decode

PROMPTS, IMAGES = 50, 5
"""Prompts a concept, and images a prompt (the paper's, appendix G)."""

LEAST, MOST = 2, 1_000
"""Prompts a concept: fewer have no variance, more are no stress test but an evaluation."""

FILE_BYTES = 4 * 1024**2
"""Of a file of prompts, and of what a language model answers."""

ANSWER_TOKENS = 8_192
"""Tokens that a list of prompts may have: a thousand characters and more for every tenth prompt."""

LABEL = "{label}"
"""Where a line of a file takes the concept's name."""

TEMPLATES = Path(__file__).with_name("templates.txt")
"""The lines that are filled with a concept's name unless others are given."""

ASK = Path(__file__).with_name("ask.txt")
"""What a language model is asked: the paper's words (appendix G), and for JSON."""

LEAST_NAMED = 10
"""Captions that must name a concept before they are taken for prompts unasked."""

GIVEN = "given"
"""Origin of prompts that somebody wrote."""

SUPPRESSED, EXAGGERATED = STRESS_DIRECTIONS

_IDLE = "a an and at by for from in is of on or the this that to under with"
"""Words of a name that a caption need not have."""


@dataclass(frozen=True)
class Prompts:
    """Distinct prompts for one concept, by the id that their seeds follow from; and their origin.

    `origin` is a phrase: "captions that name it", "templates", "given", "written by NAME".
    """

    texts: dict[str, str]
    origin: str

    @classmethod
    def of(cls, texts: Iterable[object], origin: str, where: str) -> Prompts:
        """Checked; `where` they come from is named in the sentence about one that cannot be used.

        Of equal ones the first stays. Raises `BlindspotsError` for fewer than `LEAST` or more than
        `MOST`.
        """
        found: dict[str, str] = {}
        for number, text in enumerate(texts, start=1):
            if number > MOST:
                raise BlindspotsError(
                    f"{where} holds more than {MOST:,} prompts: a stress test takes {PROMPTS}, and "
                    f"{MOST:,} at most."
                )
            try:
                prompt = check_caption(text)
            except CaptionError as error:
                said = (
                    str(error)
                    .replace("A caption", f"Prompt {number}")
                    .replace("drop the pair", "leave it out")
                )
                raise BlindspotsError(f"{where}: {said}") from None
            found[prompt_id(prompt)] = prompt
        if len(found) < LEAST:
            told = "no prompt" if not found else f"{len(found)} prompt"
            raise BlindspotsError(
                f"{where} holds {told}: a stress test takes at least {LEAST} different ones, a "
                "line each."
            )
        return cls(found, origin)


def prompt_id(text: str) -> str:
    """Name of a prompt, 16 hex digits of its text: no pair has it, so that seeds are fresh ones."""
    return fingerprint({"prompt": text})[:16]


def read_lines(path: Path) -> list[str]:
    """The lines of a file of prompts but for empty ones; also a JSON list of strings.

    Raises `BlindspotsError` for a file that is missing, too large, of no known encoding or empty.
    """
    try:
        with open(path, "rb") as handle:
            content = handle.read(FILE_BYTES + 1)
        if len(content) > FILE_BYTES:
            raise BlindspotsError(
                f"{path} is larger than {FILE_BYTES // 1024**2} MiB: give a file of one prompt a "
                f"line, {MOST:,} at most."
            )
    except OSError as error:
        raise BlindspotsError(
            f"The prompts in {path} cannot be read ({error.strerror}): check the file's name."
        ) from error
    return lines_of(decode(content, str(path)), str(path))


def lines_of(text: str, where: str) -> list[str]:
    """The prompts of a text, as `read_lines`; `where` it is from is named where there are none."""
    listed = _json_list(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = lines if listed is None else listed
    if not found:
        raise BlindspotsError(f"{where} holds no prompt: write one a line.")
    return found


def _json_list(text: str) -> list[str] | None:
    """The strings of a JSON list, where `text` is or holds one."""
    start, end = text.find("["), text.rfind("]")
    if start < 0 or end < start or (text[:start].strip() and "```" not in text[:start]):
        return None
    try:
        found = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(s, str) for s in found) else None


def filled(lines: Sequence[str], label: str, concept: int) -> list[str]:
    """Lines with the concept's name in them; `BlindspotsError` where one asks for a name it lacks.

    Nothing but `{label}` is filled in: braces of other kinds are part of the prompt.
    """
    if not label and any(LABEL in line for line in lines):
        raise BlindspotsError(
            f"Concept {concept} has no name that templates could ask for: name it (labels BUNDLE "
            f'--set {concept} "…"), or give prompts.'
        )
    return [line.replace(LABEL, label) for line in lines]


def words_of(label: str) -> list[str]:
    """The words of a name that a caption must have to name the concept."""
    return [w for w in re.findall(r"[^\W\d_]{2,}", label.lower()) if w not in _IDLE.split()]


def naming_rows(captions: Sequence[str], label: str) -> np.ndarray:
    """Rows of the captions that have every word of `label`, in the singular or plural: int64 (n,).

    By their text alone, whatever their images show: so that natural images of these captions are a
    fair measure of how often such a caption brings the concept out.
    """
    words = words_of(label)
    if not words:
        return np.zeros(0, np.int64)
    patterns = [re.compile(rf"(?<!\w){re.escape(w)}(?:e?s)?(?!\w)", re.IGNORECASE) for w in words]
    rows = [i for i, text in enumerate(captions) if all(p.search(text) for p in patterns)]
    return np.array(rows, np.int64)


def silent_rows(captions: Sequence[str], label: str) -> np.ndarray:
    """Rows of the captions that do not name `label`, int64 (n,): all where it has no words."""
    return np.setdiff1d(np.arange(len(captions), dtype=np.int64), naming_rows(captions, label))


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
    named = naming_rows(captions, bundle.labels[concept])
    texts = sorted({captions[row].strip() for row in named if _usable(captions[row])})
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
    texts = {captions[row].strip() for row in naming_rows(captions, label)}
    if label and len(texts) < LEAST_NAMED:
        return template_prompts(bundle, concept, count)
    return caption_prompts(bundle, concept, count, seed)


def template_prompts(bundle: Bundle, concept: int, count: int) -> Prompts:
    """The first `count` templates with the concept's name; without one a `BlindspotsError`."""
    lines = filled(read_lines(TEMPLATES)[:count], bundle.labels[concept], concept)
    return Prompts.of(lines, "templates", "The templates")


def written_prompts(
    ask: Callable[[str], str], name: str, label: str, concept: int, count: int
) -> Prompts:
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
    texts = _json_list(answer) or _numbered(answer)
    usable = [text for text in texts if _usable(text)]
    if len(usable) < LEAST:
        raise BlindspotsError(
            f"{name} wrote no list of prompts about {label!r}: ask it again, or give prompts in a "
            "file."
        )
    return Prompts.of(usable[:count], f"written by {name}", f"The answer of {name}")


def _numbered(answer: str) -> list[str]:
    """The lines of a list that is none of JSON: "1. …", "- …"."""
    lines = re.findall(r"(?m)^\s*(?:\d{1,3}[.)]|[-*•])\s+(.+)$", answer)
    return [line.strip().strip("\"'“”,") for line in lines]


def _natural_captions(bundle: Bundle) -> list[str]:
    return bundle.captions(bundle.image_ids(NATURAL))


Ask = Callable[[str], str]
"""Sends one text to a language model and returns its answer."""


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
