"""Per-image features: the tokens they are of, kept through a kill, and what they are good for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bundle_tools import rehash
from domain_fixtures import drawings, planted_space

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import MANIFEST, NATURAL, features_path
from blindspots_hub.artifacts.schema import PAIRS as PAIRS_TABLE
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.concepts.codes import token_features
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.progress import drive
from blindspots_hub.runs.encoding import code_store, encode_all, encode_shards
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.remeasure import remeasure
from blindspots_hub.utils.files import read_json, write_json

MODEL, PAIRS = "alder-1", 40


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("features") / "b"
    return evaluate(f"planted/{MODEL}", out, pairs=PAIRS, num_images_per_prompt=2)


def frechet(one: ImageFeatures, other: ImageFeatures) -> float:
    """Fréchet distance between two sets of class tokens, as FD-DINOv2 takes it."""
    a, b = (side.class_token.astype(np.float64) for side in (one, other))
    gap = a.mean(0) - b.mean(0)
    a, b = ((side - side.mean(0)) / np.sqrt(len(side) - 1) for side in (a, b))
    # The trace of (Σa Σb)^½ is the sum of the singular values of A Bᵀ; unlike a matrix root it is
    # exact where there are fewer images than dimensions.
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(gap @ gap + np.square(a).sum() + np.square(b).sum() - 2 * root)


def test_a_frechet_distance_is_computed_from_a_bundle(evaluated: Bundle) -> None:
    natural, generated = evaluated.features(NATURAL), evaluated.features(MODEL)
    assert natural is not None
    assert generated is not None
    assert (natural.n_images, generated.n_images) == (PAIRS, PAIRS)
    assert frechet(natural, natural) == pytest.approx(0, abs=1e-9)
    distance = frechet(natural, generated)
    tokens = {}
    for source, cells in (
        (NATURAL, evaluated.pairs["image"].to_pylist()),
        (MODEL, evaluated.generations(MODEL)["image"].to_pylist()[::2]),
    ):
        backbone = planted_space().backbone
        pixels = [backbone.preprocess(open_image(cell["bytes"])) for cell in cells]
        tokens[source] = np.stack([backbone.tokens(one[None])[0, 0].numpy() for one in pixels])
    alike = (
        ImageFeatures(tokens[NATURAL], tokens[NATURAL]),
        ImageFeatures(tokens[MODEL], tokens[MODEL]),
    )
    assert distance == pytest.approx(frechet(*alike), rel=0.02)
    assert distance > 0.1


def test_a_feature_is_of_the_tokens_it_says() -> None:
    layout = TokenLayout(1, 2, (2, 2))
    tokens = np.arange(14, dtype=np.float32).reshape(7, 2)
    assert token_features(tokens, layout).tolist() == [[0, 1], [9, 10]]
    assert np.isfinite(token_features(tokens * 1e6, layout)).all()


def test_a_run_that_was_killed_has_the_same_features(tmp_path: Path) -> None:
    space, pictures = planted_space(), drawings(40, world=3)
    images = {f"{i:02}": pictures[i].copy for i in range(40)}
    whole = drive(encode_all(code_store(tmp_path / "a", list(images), space), space, images, "e"))
    killed = code_store(tmp_path / "b", list(images), space)
    assert next(encode_shards(killed, [0], space, images)) == 0
    resumed = drive(encode_all(killed, space, images, "e"))
    for name in ("class_token", "mean_patch_token"):
        assert np.array_equal(getattr(resumed.features, name), getattr(whole.features, name))
        taken = whole.take(["07", "03"]).features
        assert np.array_equal(getattr(taken, name), getattr(whole.features, name)[[7, 3]])


def test_remeasuring_keeps_them(evaluated: Bundle, tmp_path: Path) -> None:
    again = remeasure(evaluated, tmp_path / "b", {"min_support": 5})
    for source in (NATURAL, MODEL):
        before, after = (features_path(b.root, source).read_bytes() for b in (evaluated, again))
        assert before == after
    assert faults(again.root) == []


def test_without_natural_images_the_kept_features_serve(evaluated: Bundle, tmp_path: Path) -> None:
    base = Path(shutil.copytree(evaluated.root, tmp_path / "base"))
    columns = {name: evaluated.pairs[name] for name in PAIRS_TABLE.names}
    write_table(base, PAIRS_TABLE, columns | {"image": [None] * PAIRS})
    rehash(base)
    found = evaluate("planted/cedar", tmp_path / "b", pairs=6, bundle=load_bundle(base))
    rows = [evaluated.image_ids(NATURAL).index(i) for i in found.image_ids(NATURAL)]
    kept, taken = evaluated.features(NATURAL), found.features(NATURAL)
    assert kept is not None
    assert taken is not None
    assert np.array_equal(kept.class_token[rows], taken.class_token)


def test_a_bundle_without_features_is_whole(evaluated: Bundle, tmp_path: Path) -> None:
    root = Path(shutil.copytree(evaluated.root, tmp_path / "b"))
    shutil.rmtree(root / "deltas/features")
    manifest = read_json(root / MANIFEST)
    manifest["files"] = {n: v for n, v in manifest["files"].items() if "/features/" not in n}
    write_json(root / MANIFEST, manifest)
    assert faults(root) == []
    assert load_bundle(root).features(MODEL) is None
    assert load_bundle(planted.BUNDLE).n_concepts == 512


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda x: ImageFeatures(x.class_token[:-1], x.mean_patch_token[:-1]), "its table has 40"),
        (lambda x: ImageFeatures(x.class_token[:, :3], x.mean_patch_token[:, :3]), "in width"),
        (lambda x: ImageFeatures(x.class_token, x.mean_patch_token[:, :3]), "differ in shape"),
        (lambda x: ImageFeatures(x.class_token * np.nan, x.mean_patch_token), "not finite"),
        (lambda x: ImageFeatures(x.class_token.astype("f4"), x.mean_patch_token), "token is F32"),
    ],
)
def test_faulty_features_are_told(
    evaluated: Bundle,
    tmp_path: Path,
    change: Callable[[ImageFeatures], ImageFeatures],
    fault: str,
) -> None:
    root = Path(shutil.copytree(evaluated.root, tmp_path / "b"))
    path = features_path(root, MODEL)
    change(ImageFeatures.load(path)).save(path)
    rehash(root)
    assert [fault in one for one in faults(root)] == [True]
    path.write_bytes(b"no features")
    with pytest.raises(BlindspotsError, match="not a file of image features"):
        ImageFeatures.load(path)
