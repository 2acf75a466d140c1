"""Names from a list of words, by a similarity model: the word nearest to what only they show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.answers import LONGEST_LABEL, plain_line
from blindspots_hub.naming.backends.base import Similarity
from blindspots_hub.naming.masking import Exhibit
from blindspots_hub.utils.text_encoding import decode

MOST_WORDS = 100_000
MOST_BYTES = 16 * 1024**2


def read_vocabulary(path: Path) -> list[str]:
    """Words of a text file, one a line, each once; `BlindspotsError` where there are none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BlindspotsError(f"{path} is larger than {MOST_BYTES // 1024**2} MB: shorten it.")
        lines = decode(path.read_bytes(), str(path)).splitlines()
    except OSError as error:
        raise BlindspotsError(f"The vocabulary {path} cannot be read ({error}).") from error
    words = list(dict.fromkeys(w for line in lines if (w := plain_line(line)[:LONGEST_LABEL])))
    if not words or len(words) > MOST_WORDS:
        raise BlindspotsError(
            f"The vocabulary {path} holds {len(words):,} words, one a line: give 1 to "
            f"{MOST_WORDS:,}."
        )
    return words


@dataclass
class Vocabulary:
    """Words and their unit embeddings (V, d) in the space of a similarity model."""

    words: list[str]
    texts: np.ndarray
    model: Similarity

    @classmethod
    def of(cls, words: list[str], model: Similarity) -> Vocabulary:
        """Embed `words`, each as "a photo of WORD"."""
        return cls(words, model.texts([f"a photo of {word}" for word in words]), model)

    def nearest(self, exhibit: Exhibit) -> tuple[str, float]:
        """The word whose cosine with the masked images most exceeds that with the others.

        And by how much: a mean over the images of either side.
        """
        fires, silent = (
            np.nanmean(self.model.images(list(images)) @ self.texts.T, axis=0)
            if images
            else np.zeros(len(self.words))
            for images in (exhibit.fires, exhibit.silent)
        )
        best = int(np.argmax(fires - silent))
        return self.words[best], float(fires[best] - silent[best])
