"""Stress tests that a page shows: those of a bundle, and those that the page keeps beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import table_path
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import STRESS_IMAGES, STRESS_TESTS
from blindspots_hub.artifacts.stress_tables import images_of_test


@dataclass(frozen=True)
class Results:
    """Tests by concept and model; what lies in the folder `beside` is newer than the bundle's."""

    bundle: Bundle
    beside: Path | None = None

    @property
    def _own(self) -> dict[tuple[int, str], dict[str, Any]]:
        if self.beside is None:
            return {}
        path = table_path(self.beside, STRESS_TESTS)
        rows = read_table(path).to_pylist() if path.is_file() else []
        return {(row["concept"], row["model"]): row for row in rows}

    @property
    def tests(self) -> dict[tuple[int, str], dict[str, Any]]:
        """Rows of STRESS_TESTS."""
        return {**self.bundle.stress_tests(), **self._own}

    def of_model(self, model: str) -> list[dict[str, Any]]:
        """The tests of one model, by concept."""
        return [row for (_, name), row in sorted(self.tests.items()) if name == model]

    def images(self, concept: int, model: str) -> list[dict[str, Any]]:
        """Rows of STRESS_IMAGES of one test, highest energy first of each drawing model."""
        if self.beside is not None and (concept, model) in self._own:
            return images_of_test(table_path(self.beside, STRESS_IMAGES), concept, model)
        return self.bundle.stress_images(concept, model)
