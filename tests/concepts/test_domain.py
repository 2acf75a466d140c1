"""A concept space knows its own images, and tells those of another kind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import domain_fixtures as kinds
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.analysis.domain import domain_warning, side_warning
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.artifacts.writer import write_manifest
from blindspots_hub.concepts.domain import DOMAIN, LOOK, Domain
from blindspots_hub.concepts.domain_fit import LEAST, fitting_domain
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.domain_notice import domain_notice, result_notice
from blindspots_hub.explorer.tabs.evaluate_parts.running import RunningPage
from blindspots_hub.generation.generate import load_pipeline
from blindspots_hub.generation.models import resolve
from blindspots_hub.progress import Event, drive
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.folders import measure_folders


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """How often an image of another kind scores higher than one of the space's own."""
    return float((inside[:, None] < outside).mean() + (inside[:, None] == outside).mean() / 2)


@pytest.fixture(scope="module")
def own() -> np.ndarray:
    """Looks of planted drawings of another world, which the space never saw."""
    return kinds.looks(kinds.planted_space(), kinds.drawings(80, world=11, salt="others"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The embedded bundle, with its domain."""
    root = tmp_path_factory.mktemp("domain") / "b"
    shutil.copytree(planted.BUNDLE, root)
    kinds.planted_space().domain.save(root / "sae")
    manifest = load_bundle(planted.BUNDLE).manifest.to_json()
    write_manifest(root, manifest)
    assert faults(root) == []
    return load_bundle(root)


@pytest.mark.parametrize("kind", ["textures", "photographs", "blanks", "noise"])
def test_other_kinds_are_outside_the_planted_space(kind: str, own: np.ndarray) -> None:
    domain = kinds.planted_space().domain
    others = kinds.looks(kinds.planted_space(), getattr(kinds, kind)(40, seed=5))
    assert auroc(domain.scores(own), domain.scores(others)) >= 0.95
    assert domain.likeness(others).is_outside
    assert not domain.likeness(own).is_outside
    assert domain.likeness(own).outside < 0.1
    mixed = domain.likeness(np.concatenate([own, others[:20]]))
    assert not mixed.is_outside


@pytest.mark.slow
def test_drawings_are_outside_a_photographic_space() -> None:
    space = kinds.photographic_space()
    inside = kinds.looks(space, kinds.textures(60, seed=9))
    outside = kinds.looks(space, kinds.drawings(60, world=11, salt="others"))
    assert auroc(space.domain.scores(inside), space.domain.scores(outside)) >= 0.95
    assert space.domain.likeness(outside).is_outside
    assert not space.domain.likeness(inside).is_outside


@pytest.mark.parametrize("model", ["alder-1", "cedar", "willow"])
def test_what_planted_models_draw_is_not_warned_of(model: str) -> None:
    planted.register()
    pipeline = load_pipeline(resolve(f"planted/{model}"), "cpu")
    pairs = load_bundle(planted.BUNDLE).pairs
    captions = pairs["caption"].to_pylist()[:40]
    images = [pipeline.generate(text, f"{i}", 0).image for i, text in enumerate(captions)]
    found = kinds.planted_space().domain.likeness(kinds.looks(kinds.planted_space(), images))
    assert not found.is_outside
    assert found.outside < 0.25


def test_the_limit_is_a_quantile_of_the_spaces_own_images() -> None:
    space = kinds.planted_space()
    images = kinds.drawings(256, kinds.TRAINING_WORLD)
    scores = space.domain.scores(kinds.looks(space, images))
    assert 0 < (scores > 1).mean() <= 0.0125  # 3 of 256 at most


def test_a_look_is_what_its_words_say(own: np.ndarray) -> None:
    space = kinds.planted_space()
    image = kinds.textures(1, seed=2)
    tokens = torch.from_numpy(kinds.tokens_of(image))[0, space.backbone.layout.patches]
    codes = space.sae.encode(tokens)
    x, decoded = tokens.double().numpy(), space.sae.decode(codes).double().numpy()
    domain = space.domain
    centred = x - domain.mean
    along = centred @ domain.directions
    beyond = np.square(centred - along @ domain.directions.T).sum(1).mean() / domain.beyond
    counts = np.diff(codes.indptr)
    every = domain.variances.sum() + domain.beyond
    expected = [
        np.square(x - decoded).sum(1).mean(),
        np.square(centred).sum(1).mean(),
        (np.square(along) / domain.variances).mean(),
        beyond,
        x.var(0).sum() / every,
        counts.mean(),
        (counts == 0).mean(),
    ]
    look = kinds.looks(space, image)[0]
    assert look == pytest.approx(expected, rel=1e-9)
    assert own.shape == (80, len(LOOK))


def test_a_look_depends_on_its_image_alone() -> None:
    space, images = kinds.planted_space(), kinds.drawings(6, world=3)
    together = kinds.looks(space, images)
    alone = np.concatenate([kinds.looks(space, [image]) for image in images])
    assert together == pytest.approx(alone, rel=1e-9)


def test_a_domain_is_kept_in_a_file(tmp_path: Path) -> None:
    assert Domain.load(tmp_path) is None
    domain = kinds.planted_space().domain
    domain.save(tmp_path)
    again = Domain.load(tmp_path)
    assert (again.home, again.fingerprint) == (domain.home, domain.fingerprint)
    some = np.abs(np.random.default_rng(0).normal(1, 0.3, (5, len(LOOK))))
    assert np.array_equal(again.scores(some), domain.scores(some))
    (tmp_path / DOMAIN).write_bytes((tmp_path / DOMAIN).read_bytes()[:-40])
    with pytest.raises(BlindspotsError, match="damaged"):
        Domain.load(tmp_path)


def test_too_few_images_and_equal_ones_make_no_domain() -> None:
    space = kinds.planted_space()
    layout, width = space.backbone.layout, space.backbone.width
    same = np.ones((30, layout.tokens, width), np.float32)
    for count, why in ((LEAST - 1, "give at least"), (30, "all alike")):
        with pytest.raises(BlindspotsError, match=why):
            drive(fitting_domain(space.sae, layout, count, same.__getitem__, ""))


def test_measuring_folders_warns_and_goes_on(base: Bundle, tmp_path: Path) -> None:
    for side, seed in (("real", 1), ("made", 2)):
        (tmp_path / side).mkdir()
        for i, image in enumerate(kinds.textures(12, seed)):
            image.save(tmp_path / side / f"{i}.png")
    events: list[Event] = []
    folders = (tmp_path / "real", tmp_path / "made")
    work = measure_folders.stream(*folders, tmp_path / "out", bundle=base)
    found = drive(work, events.append)
    told = [event.detail["warning"] for event in events if "warning" in event.detail]
    assert [sentence.split(" do ")[0] for sentence in told] == [
        "The natural images", "The generated images",
    ]  # fmt: skip
    entry = found.model("made").domain
    assert entry["natural"]["is_outside"]
    assert entry["natural"]["outside"] > 0.9
    assert entry["home"]["images"] == 256
    warning = domain_warning(found, "made")
    assert "than at home" in warning or "at home" in warning
    assert "These concepts may not fit" in result_notice(found, "made")
    assert (tmp_path / "out" / "sae" / DOMAIN).is_file()
    page = RunningPage("made")
    for event in events:
        page.take(event)
    assert page.html().count("do not look like") == 2
    result = CliRunner().invoke(
        cli.app, ["measure", *map(str, folders), "--out", str(tmp_path / "again"),
                  "--bundle", str(base.root)]
    )  # fmt: skip
    assert result.exit_code == 0
    assert result.stderr.count("Warning: The natural images") == 1
    assert result.stdout.count("Warning: The natural images") == 1


def test_the_planted_world_is_measured_without_a_warning(base: Bundle, tmp_path: Path) -> None:
    events: list[Event] = []
    work = evaluate.stream("planted/cedar", tmp_path / "o", pairs=40, bundle=base)
    found = drive(work, events.append)
    assert not any("warning" in event.detail for event in events)
    entry = found.model("cedar").domain
    assert [entry[side]["images"] for side in ("natural", "generated")] == [40, 40]
    assert domain_warning(found, "cedar") is None
    assert domain_notice([]) == ""


def test_a_bundle_without_a_domain_says_nothing(tmp_path: Path) -> None:
    root = tmp_path / "b"
    shutil.copytree(planted.BUNDLE, root)
    (root / "sae" / DOMAIN).unlink(missing_ok=True)
    manifest = load_bundle(planted.BUNDLE).manifest.to_json()
    for model in manifest["models"]:
        model.pop("domain", None)
    write_manifest(root, manifest)
    found = evaluate("planted/cedar", tmp_path / "o", pairs=4, bundle=load_bundle(root))
    assert found.model("cedar").domain is None
    assert domain_warning(found, "cedar") is None


def test_a_killed_run_keeps_the_looks(base: Bundle, tmp_path: Path) -> None:
    from blindspots_hub.runs.encoding import code_store, encode_all, encode_shards

    space = ConceptSpace(kinds.backbone(), kinds.planted_space().sae, kinds.planted_space().domain)
    pictures = kinds.drawings(40, world=3)
    images = {f"{i:02}": pictures[i].copy for i in range(40)}
    whole = drive(encode_all(code_store(tmp_path / "a", list(images), space), space, images, "e"))
    killed = code_store(tmp_path / "b", list(images), space)
    assert next(encode_shards(killed, [0], space, images)) == 0
    resumed = drive(encode_all(killed, space, images, "e"))
    assert resumed.looks == pytest.approx(whole.looks, rel=1e-9)
    assert whole.take(["07", "03"]).looks == pytest.approx(whole.looks[[7, 3]], rel=0)
    bare = ConceptSpace(space.backbone, space.sae)
    assert code_store(tmp_path, ["a"], bare).folder != code_store(tmp_path, ["a"], space).folder


@pytest.mark.parametrize(
    ("feature", "median", "words"),
    [
        ("unexplained", 0.79, "reconstructs 21% of their tokens' variance, 68% at home"),
        ("distance", 2.2, "lie 3.0 times as far from the middle"),
        ("within", -4.0, "differ 7.4 times less than at home"),
    ],
)
def test_the_warning_names_the_figure_that_says_so(feature: str, median: float, words: str) -> None:
    side = {"feature": feature, "median": median, "home": 0.0, "r2": 0.21, "outside": 0.9}
    told = side_warning("natural", {**side, "images": 1200}, {"r2": 0.68})
    assert words in told
    assert "90% of 1,200 images" in told
    assert json.dumps(side)
