"""What analyses ask of a bundle, from energies in memory: no file is written."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pyarrow as pa

from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.sampler import GenerationEnergies
from blindspots_hub.measure.settings import METHOD, MeasureSettings
from blindspots_hub.measure.table import measure


class EnergyBundle:
    """One paired model, "model", of natural and generated energies (N, n), row by row.

    Or of `single` generations, which `generated` is then the mean of.
    """

    def __init__(
        self,
        natural: ImageEnergies,
        generated: ImageEnergies,
        single: GenerationEnergies | None = None,
    ) -> None:
        settings = MeasureSettings()
        self._sides, self._single = (natural, generated), single
        self._entry = SimpleNamespace(
            paired=True, measured_with=settings, method=METHOD, title="Model"
        )
        self.n_concepts = natural.n_concepts
        self._table = pa.table(measure(natural, generated, settings, True, single))

    def model(self, name: str) -> SimpleNamespace:
        return self._entry

    def deltas(self, name: str) -> pa.Table:
        return self._table

    def compared(self, name: str) -> tuple[ImageEnergies, ImageEnergies]:
        return self._sides

    def generation_energies(self, name: str) -> GenerationEnergies | None:
        return self._single

    def energies(self, source: str) -> ImageEnergies:
        return self._sides[source != "natural"]

    def image_ids(self, source: str) -> list[str]:
        return [f"{row:04d}" for row in range(self.energies(source).n_images)]

    def natural_ids(self, name: str) -> Sequence[str]:
        return self.image_ids("natural")
