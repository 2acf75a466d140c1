"""Words of captions, and pairs of words beside each other, as a sparse table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from blindspots_hub.utils.spelling import singular

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
LONGEST_WORD = 40
LONGEST_CAPTION = 2_000
"""Characters of a caption that are looked at."""

MOST_TERMS = 100_000
"""Terms that are kept, those of most captions."""

_FUNCTION = """
a about above after against all also am an and any are as at be been before behind below beside
between both but by can could de der des did die do does doing down du each el en et few for from
front further had has have having he her here hers him his how i if in inside into is it its just
la le les los me more most my near new next no nor not of off on once only onto or other our out
outside over own same she so some such than that the their them then there these they this those
through to too toward towards un una under une up upon very von was we were what when where which
while who with within without you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION.split())
"""Words that name nothing."""

_PICTURE = """
close-up closeup image images photo photograph photography photos pic picture pictures shot stock
view
"""
PICTURE_WORDS = frozenset(_PICTURE.split())
"""Words that say that there is a picture, not what is in it."""


@dataclass(frozen=True)
class Terms:
    """Terms of captions: `present` (N, V) bool CSR says which caption has which of `names` (V).

    A term is a word that names something, or two beside each other; plural and singular are one,
    under the shorter of the two.
    """

    names: tuple[str, ...]
    present: scipy.sparse.csr_matrix

    @classmethod
    def of(cls, captions: Sequence[str], least: int = 2) -> Terms:
        """Those that at least `least` captions have."""
        found = [set(terms_of(caption)) for caption in captions]
        captions_with = Counter(term for terms in found for term in terms)
        common = sorted(captions_with.items(), key=lambda item: (-item[1], item[0]))
        shown: dict[str, str] = {}
        total: Counter[str] = Counter()
        for term, count in common:
            known = shown.setdefault(singular(term), term)
            if len(term) < len(known):
                shown[singular(term)] = term
            total[singular(term)] += count
        kept = [stem for stem, count in total.most_common(MOST_TERMS) if count >= least]
        place = {stem: i for i, stem in enumerate(kept)}
        rows = [sorted({place[s] for t in terms if (s := singular(t)) in place}) for terms in found]
        indptr = np.cumsum([0, *map(len, rows)])
        columns = np.array([c for row in rows for c in row], np.int64)
        present = scipy.sparse.csr_matrix(
            (np.ones(len(columns), np.float64), columns, indptr), (len(captions), len(kept))
        )
        return cls(tuple(shown[stem] for stem in kept), present)


def terms_of(caption: str) -> Iterator[str]:
    """The terms of one caption, in order, repeated where they are."""
    before: str | None = None
    text = caption[:LONGEST_CAPTION].casefold()  # of another length where it holds an ß
    for match in _WORD.finditer(text):
        word = match.group()
        if len(word) > LONGEST_WORD or word in FUNCTION_WORDS or len(word) < 2:
            before = None
            continue
        if before is not None and text[match.start() - 1] in " \t-":
            yield f"{before} {word}"
        before = word
        if word not in PICTURE_WORDS:
            yield word
