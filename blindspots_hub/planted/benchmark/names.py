"""Whether names that were found are those of the factors that concepts stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blindspots_hub.artifacts.labels import CAPTION_WORDS
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.naming.caption_words import caption_words
from blindspots_hub.planted.benchmark.checks import Check, share, told
from blindspots_hub.planted.concept_match import ConceptMatch, plain
from blindspots_hub.utils.spelling import singular

GOAL = 0.8
"""Share of the concepts that stand for an object whose name is to name it."""

_KINDS = frozenset({"background", "fur"})
"""Words of a factor's name that say what kind of factor it is."""


def names_it(name: str, factor: str) -> bool:
    """Whether a name has the words of a factor's plain name, number and kind aside.

    "frying pan" names "pan", and "brick wall" "brick background".
    """
    wanted = {_stem(word) for word in factor.casefold().split() if word not in _KINDS}
    return bool(wanted) and wanted <= {_stem(word) for word in name.casefold().split()}


def names(
    found: Mapping[str, Mapping[int, str]], stands: Mapping[str, ConceptMatch]
) -> list[Check]:
    """By method of naming: the share of concepts that stand for a factor whose name names it.

    `found` are names by method and concept. Of all factors it is told; of objects, for the words of
    captions, it is judged: captions of the world say what is there.
    """
    checks = []
    for method, by_concept in found.items():
        for kind, which in (("an object", "object="), ("any factor", "")):
            some = [(f, s) for f, s in stands.items() if f.startswith(which)]
            hits = sum(names_it(by_concept.get(s.concept, ""), plain(f)) for f, s in some)
            row = f"names by {method}: concepts that stand for {kind}"
            judged = which and method == CAPTION_WORDS
            if judged:  # of all such concepts that there are, so there is nothing to infer
                held = hits >= GOAL * len(some)
                checks.append(Check(row, share(hits, len(some)), f"≥ {GOAL:.0%}", held))
            else:
                checks.append(told(row, share(hits, len(some))))
    return checks


def caption_names(
    natural: ImageEnergies, captions: Sequence[str], concepts: Sequence[int]
) -> dict[int, str]:
    """Names by the words of captions, by concept, "" where none stands out."""
    words = caption_words(natural, captions, concepts)
    return {k: "" if w is None else w.name for k, w in zip(concepts, words, strict=True)}


def _stem(word: str) -> str:
    """A word without its plural, and without the ending of a material: "wooden" is of wood."""
    plain_word = singular(word)
    return plain_word[:-2] if plain_word.endswith("en") and len(plain_word) > 5 else plain_word
