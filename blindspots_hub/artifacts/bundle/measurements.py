"""What was measured of single images: energies, features, token codes, heatmaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.atoms import dictionary
from blindspots_hub.artifacts.bundle.files import refuse
from blindspots_hub.artifacts.bundle.kept import kept
from blindspots_hub.artifacts.bundle.tables import BundleTables
from blindspots_hub.artifacts.concept_column import ConceptColumn, concept_column, fires_in
from blindspots_hub.artifacts.energy_files import read_energies, read_generation_energies
from blindspots_hub.artifacts.heatmaps import Heatmaps
from blindspots_hub.artifacts.layout import (
    NATURAL,
    SAE_WEIGHTS,
    energies_files,
    energies_path,
    features_path,
    generation_energies_files,
    heatmaps_path,
    token_codes_path,
)
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.token_codes import TokenCodes


class BundleMeasurements(BundleTables):
    """Files of numbers beside the tables; of a bundle of the Hub they come when they are read."""

    @kept
    def energies(self, source: str) -> ImageEnergies:
        """Per-image energies of a source; rows follow `image_ids(source)`."""
        found = read_energies(self._energies_files(source))
        if found.n_concepts != self.n_concepts:
            told = f"energies have {found.n_concepts} concepts instead of {self.n_concepts}"
            refuse(self.root, [f"{energies_path(Path(), source).as_posix()}: {told}"])
        self._of_images(source, energies_path(Path(), source), found.n_images)
        return found

    def _of_images(self, source: str, path: Path, rows: int) -> None:
        """`BlindspotsError` unless a file has a row for every image that its table names."""
        images = len(self.image_ids(source))
        if rows != images:
            refuse(self.root, [f"{path.as_posix()} has {rows} images for {images} of its table"])

    def _energies_files(self, source: str) -> list[Path]:
        names = energies_files(self.manifest.files, source)
        self.fetch(names)
        return [self._checked(self.root / name) for name in names]

    def has_energies(self, source: str) -> bool:
        """Whether the bundle has the per-image energies of a source, here or to be fetched."""
        return bool(energies_files(self.manifest.files, source))

    @kept
    def concept_energies(self, source: str, concept: int) -> ConceptColumn | None:
        """Energies of one concept in the images of a source; None where they are not to be had."""
        names = energies_files(self.manifest.files, source)
        self.fetch(names)
        if not names or not self.is_here(*names):
            return None
        return concept_column([self._checked(self.root / name) for name in names], concept)

    def fires_in(self, source: str, rows: np.ndarray) -> np.ndarray | None:
        """In how many of some images of a source each concept fires; None where not known here.

        Nothing is fetched for it.
        """
        names = energies_files(self.manifest.files, source)
        if not names or not self.is_here(*names):
            return None
        return fires_in(self._energies_files(source), rows, self.n_concepts)

    @kept
    def features(self, source: str) -> ImageFeatures | None:
        """Class token and mean patch token of a source's images; rows follow `image_ids(source)`.

        None where the bundle keeps none: it is of an earlier version, or was made from one that
        holds neither features nor natural images.
        """
        path = features_path(self.root, source)
        if not self.has(path):
            return None
        found = ImageFeatures.load(self._checked(path))
        self._of_images(source, path.relative_to(self.root), found.n_images)
        return found

    def atoms(self) -> np.ndarray:
        """The RA-SAE's fused dictionary, float32 (n, d); `BlindspotsError` where it is not here."""
        if (self.root / SAE_WEIGHTS).is_file():
            self._checked(self.root / SAE_WEIGHTS)
        return dictionary(self.root)

    @kept
    def token_codes(self, source: str) -> TokenCodes | None:
        """Codes of single tokens of some of a source's images; None where the bundle keeps none."""
        path = token_codes_path(self.root, source)
        return TokenCodes.load(self._checked(path)) if self.has(path) else None

    def compared(self, model: str) -> tuple[ImageEnergies, ImageEnergies]:
        """Natural and generated energies that a model's tables compare; where paired, row by row.

        Unpaired ones have as many rows as there are images on either side.
        """
        natural, generated = self.energies(NATURAL), self.energies(model)
        ids = self.natural_ids(model)
        row = self._rows(NATURAL)
        if len(ids) == len(row) and ids == list(row):
            return natural, generated
        return natural.take(np.array([row[i] for i in ids], np.int64)), generated

    @kept
    def generation_energies(self, model: str) -> GenerationEnergies | None:
        """Energies of a model's single generations; None where captions were drawn once.

        Bundles of the first schema keep none.
        """
        names = generation_energies_files(self.manifest.files, model)
        if not names:
            return None
        files = [self._checked(self.root / name) for name in names]
        return read_generation_energies(files, len(self.image_ids(model)))

    def drawn_several_times(self, model: str) -> bool:
        """Whether captions of a model have several generations whose energies are kept."""
        return bool(generation_energies_files(self.manifest.files, model))

    def heatmap(self, source: str, concept: int, pair_id: str) -> np.ndarray | None:
        """Codes of `concept` on the patches of one image, float32 `grid`; None where not kept.

        Kept are those of the images that cards show, where None may also say that the concept is
        silent in one, and, of the images whose token codes are here, those of every concept.
        """
        row = self._rows(source).get(pair_id)
        if row is None:
            return None
        found = self._heatmaps(source).grid(concept, row, self.grid)
        return self._sampled_heatmap(source, concept, row) if found is None else found

    def _sampled_heatmap(self, source: str, concept: int, row: int) -> np.ndarray | None:
        """The same from the codes of single tokens; nothing is fetched for it."""
        path = token_codes_path(self.root, source)
        if not self.has(path) or not self.is_here(path.relative_to(self.root).as_posix()):
            return None
        codes = self.token_codes(source)
        of_tokens = None if codes is None else codes.of_image(row, concept)
        rows, columns = self.grid
        if of_tokens is None or len(of_tokens) < rows * columns:
            return None
        return of_tokens[-rows * columns :].reshape(rows, columns)  # the patches come last

    @kept
    def _heatmaps(self, source: str) -> Heatmaps:
        return Heatmaps.load(self._checked(heatmaps_path(self.root, source)))
