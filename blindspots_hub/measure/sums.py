"""What tables need of an image's codes: its energies, and what fires on which kind of token.

Summed image by image, in one pass over the codes, so that several processes may each sum the images
that they encoded: put together in the images' order the sums are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.measure.energies import ImageEnergies, stacked
from blindspots_hub.measure.settings import check_tokens


@dataclass(frozen=True)
class ImageSums:
    """Sums of N images: `energies` over their `tokens` ("patches" or "all"), and `fires`.

    `fires` are of the class token, of registers and of patches: where an image's row of these holds
    a concept, it fires on such a token there.
    """

    tokens: str
    energies: ImageEnergies
    fires: tuple[ImageEnergies, ImageEnergies, ImageEnergies]

    @classmethod
    def of(
        cls,
        codes: Iterable[SparseCodes],
        layout: TokenLayout,
        n_concepts: int,
        tokens: str,
        on_patches: Callable[[int], tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> ImageSums:
        """Of the codes of images; `on_patches` gives a row's energies over patches, if kept."""
        check_tokens(tokens)
        kinds = slice(0, layout.cls), slice(layout.cls, layout.patches.start)
        few: tuple[list[_Row], list[_Row]] = ([], [])
        patches: list[_Row] = []
        whole: list[_Row] = []
        for row, image in enumerate(codes):
            for kind, found in zip(kinds, few, strict=True):
                own = image.concepts[image.indptr[kind.start] : image.indptr[kind.stop]]
                fired = np.unique(own)
                found.append((fired, np.ones(len(fired), np.float32)))
            patches.append(on_patches(row) if on_patches else image.energies(layout.patches))
            if tokens == "all":
                whole.append(image.energies())
        cls_fires, register_fires, patch_energies = (
            ImageEnergies.stack(rows, n_concepts) for rows in (*few, patches)
        )
        energies = ImageEnergies.stack(whole, n_concepts) if tokens == "all" else patch_energies
        return cls(tokens, energies, (cls_fires, register_fires, patch_energies))

    @classmethod
    def joined(cls, parts: Sequence[ImageSums]) -> ImageSums:
        """Of the images of all parts (one at least), one after the other."""
        tokens = parts[0].tokens
        first, second, patches = (
            stacked([part.fires[kind] for part in parts]) for kind in range(len(parts[0].fires))
        )
        energies = stacked([part.energies for part in parts]) if tokens == "all" else patches
        return cls(tokens, energies, (first, second, patches))

    def take(self, rows: np.ndarray) -> ImageSums:
        """Keep `rows` (indices), in the order given."""
        first, second, patches = (kind.take(rows) for kind in self.fires)
        energies = self.energies.take(rows) if self.tokens == "all" else patches
        return ImageSums(self.tokens, energies, (first, second, patches))

    @property
    def token_fires(self) -> np.ndarray:
        """In how many images each concept fires on the class token, a register, a patch.

        int32 (3, n_concepts), whichever tokens energies sum.
        """
        return np.stack([kind.fires for kind in self.fires])


_Row = tuple[np.ndarray, np.ndarray]
