"""Metrics of single images take pairs together, whichever of them a model lacks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from findings_fixtures import WIDTH, write_rich
from synthetic_bundle import Synthetic

from blindspots_hub.analysis import fid_bounds, other_metrics
from blindspots_hub.analysis.chosen_images import Chosen
from blindspots_hub.analysis.frechet import frechet
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import NATURAL, features_path
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.artifacts.writer import write_manifest
from blindspots_hub.measure.features import ImageFeatures


class Ids:
    """The ids of a bundle's images, and nothing else."""

    def __init__(self, natural: list[str], paired: bool = True, **models: list[str]) -> None:
        self.natural, self.models, self.paired = natural, models, paired

    def image_ids(self, source: str) -> list[str]:
        return self.natural if source == NATURAL else self.models[source]

    def natural_ids(self, model: str) -> list[str]:
        return self.models[model] if self.paired else self.natural

    def model(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(paired=self.paired)


def test_a_pair_is_taken_with_both_its_images() -> None:
    natural = [f"{row:03d}" for row in range(200)]
    some = [one for one in natural if int(one) % 7]
    bundle = Ids(natural, whole=natural, lacking=some)
    for model, most in (("whole", 50), ("lacking", 50), ("lacking", 500)):
        chosen = Chosen.of(bundle, model, most)  # type: ignore[arg-type]
        ids = [natural[row] for row in chosen.natural]
        assert ids == [bundle.image_ids(model)[row] for row in chosen.generated]
        assert tuple(ids) == chosen.natural_ids
        assert len(set(ids)) == len(ids) == min(most, len(bundle.image_ids(model)))
        assert ids != sorted(ids)  # halves and fifths of them are by chance
    both = [Chosen.of(Ids(natural, a=some, b=some), m, 50).natural_ids for m in "ab"]  # type: ignore[arg-type]
    assert both[0] == both[1]


def test_unpaired_sides_are_chosen_apart() -> None:
    bundle = Ids([f"n{row}" for row in range(90)], False, own=[f"g{row}" for row in range(40)])
    chosen = Chosen.of(bundle, "own", 60)  # type: ignore[arg-type]
    assert (len(chosen.natural), len(chosen.generated)) == (60, 40)
    assert sorted(chosen.generated) == list(range(40))


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose models return the natural images but for a little noise."""
    root = write_rich(tmp_path_factory.mktemp("b") / "b", Synthetic(n_concepts=40, pairs=120))
    rng = np.random.default_rng(0)
    natural = rng.normal(size=(120, 2, WIDTH)) * np.geomspace(1, 60, 120)[:, None, None]
    for name in (NATURAL, "plain-a", "plain-b", "plain-c"):
        noise = 0.01 * rng.normal(size=natural.shape) * (name != NATURAL)
        features = ImageFeatures.stacked((natural + noise).astype(np.float16))
        features.save(features_path(root, name))
    write_manifest(root, Manifest.read(root).to_json())
    return load_bundle(root)


def test_of_many_images_the_same_pairs_are_compared(
    copies: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were each side drawn by itself, the distance of copies would be that of two samples."""
    monkeypatch.setattr(other_metrics, "MOST", 60)
    monkeypatch.setattr(fid_bounds, "MOST", 60)
    value, error = other_metrics.scored(copies, "plain-a", {})["Fréchet distance"]
    assert value < 0.1
    assert error < 0.1
    table = fid_bounds.find(copies, ("plain-a",)).table
    assert table["token"][0] < 0.1
    assert table["token_error"][0] < 0.1


def test_natural_halves_are_by_chance(copies: Bundle) -> None:
    """Not the first and the last in the order of ids, which may tell where a pair comes from."""
    features = copies.features(NATURAL)
    assert features is not None
    tokens = np.asarray(features.mean_patch_token, np.float64)
    in_order = frechet(tokens[:60], tokens[60:])
    assert fid_bounds.find(copies, ("plain-a",)).table["token_null"][0] < in_order / 2


def test_models_of_the_same_pairs_share_the_natural_side(copies: Bundle) -> None:
    known: other_metrics.References = {}
    for model in copies.models:
        other_metrics.scored(copies, model, known)
    assert len(known) == 1 + other_metrics.GROUPS
