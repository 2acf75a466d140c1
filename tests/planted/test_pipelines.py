"""The planted models as diffusers pipelines, and their faults."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted import factors as f
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.faults import Fault, apply_faults
from blindspots_hub.planted.models import MODELS, TUNED, planted_pipeline
from blindspots_hub.planted.pipelines import PlantedPipeline
from blindspots_hub.planted.scene import FLATTENED, NATURAL, Scene, complete, sample_scene
from blindspots_hub.planted.truth import Change, true_change
from blindspots_hub.planted.world import world_pairs

PROMPTS = ["four cats in the grass", "a blank document page", "IMG_4032.jpg", "", "a red mug",
           "T-shirt design outline, vector template"]  # fmt: skip


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_images_do_not_depend_on_the_batch() -> None:
    pipe = planted_pipeline("willow")
    single = [pipe(text, generator=seeded(i)).images[0] for i, text in enumerate(PROMPTS)]
    whole = pipe(PROMPTS, generator=[seeded(i) for i in range(len(PROMPTS))]).images
    assert [a.tobytes() for a in single] == [b.tobytes() for b in whole]
    order = [3, 0, 5]
    some = pipe([PROMPTS[i] for i in order], generator=[seeded(i) for i in order]).images
    assert [single[i].tobytes() for i in order] == [image.tobytes() for image in some]


def test_one_generator_serves_the_images_in_turn() -> None:
    pipe = planted_pipeline("cedar")
    batch = pipe(PROMPTS[:2], generator=seeded(1)).images
    generator = seeded(1)
    turns = [pipe(text, generator=generator).images[0] for text in PROMPTS[:2]]
    assert [a.tobytes() for a in batch] == [b.tobytes() for b in turns]


def test_only_the_generator_decides() -> None:
    pipe = planted_pipeline("alder-1")
    first = pipe("three dogs", generator=seeded(5)).images[0]
    torch.manual_seed(99)
    assert pipe("three dogs", generator=seeded(5)).images[0].tobytes() == first.tobytes()
    assert pipe("three dogs", generator=seeded(6)).images[0].tobytes() != first.tobytes()
    assert draw(pipe.scene_for("three dogs", seeded(5))).tobytes() == first.tobytes()


def test_save_and_load_gives_the_same_images(tmp_path: Path) -> None:
    pipe = planted_pipeline("alder-2")
    pipe.save_pretrained(tmp_path)
    again = PlantedPipeline.from_pretrained(tmp_path)
    assert again.config["name"] == "alder-2"
    for seed, text in enumerate(PROMPTS):
        before = pipe(text, generator=seeded(seed)).images[0]
        assert again(text, generator=seeded(seed)).images[0].tobytes() == before.tobytes()
    scenes = [pipe.scene_for("a lamp", seeded(seed)) for seed in range(50)]
    assert scenes == [again.scene_for("a lamp", seeded(seed)) for seed in range(50)]


def test_outputs() -> None:
    pipe = planted_pipeline("cedar")
    assert len(pipe("a car", num_images_per_prompt=3, generator=seeded(0)).images) == 3
    (images,) = pipe("a car", height=64, width=64, output_type="np", return_dict=False)
    assert images.shape == (1, 64, 64, 3)
    assert 0 <= images.min() <= images.max() <= 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"prompt": 3}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", None]}, "prompt"),
        ({"prompt": "a", "height": 224, "width": 232}, "height"),
        ({"prompt": "a", "height": 100, "width": 100}, "divisible"),
        ({"prompt": "a", "num_images_per_prompt": 0}, "num_images_per_prompt"),
        ({"prompt": ["a", "b"], "generator": [torch.Generator()]}, "generators"),
        ({"prompt": "a", "output_type": "latent"}, "output_type"),
    ],
)
def test_wrong_arguments_are_told(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        planted_pipeline("cedar")(**arguments)


def test_unknown_model_is_told() -> None:
    with pytest.raises(BlindspotsError, match="willow"):
        planted_pipeline("oak")


@pytest.mark.parametrize(
    ("kind", "factor", "strength"),
    [("suppress", "object=spoon", 0.5), ("exaggerate", "object=pan", 0.5), ("melt", "count=4", 0.5),
     ("drift", "count=1", 0.5), ("memorise", "template=none", 1.0), ("suppress", "count=4", 0.0),
     ("suppress", "template", 0.5)],
)  # fmt: skip
def test_impossible_faults_are_refused(kind: str, factor: str, strength: float) -> None:
    with pytest.raises(BlindspotsError):
        Fault(kind, factor, strength)


@pytest.mark.parametrize(
    "factor",
    [name for name in f.FACTORS if name not in ("template", "printed page")],
)
def test_suppression_of_full_strength_removes_every_factor(factor: str) -> None:
    struck = 0
    for seed in range(400):
        scene = sample_scene(seed, FLATTENED)
        after = apply_faults(scene, (Fault("suppress", factor, 1.0),), seed)
        assert factor not in f.scene_factors(after)
        struck += factor in f.scene_factors(scene)
        if factor not in f.scene_factors(scene):
            assert after == scene
    assert struck


@pytest.mark.parametrize("factor", ["background=wood", "palm tree", "shadow under animal"])
def test_exaggeration_adds_only_where_possible(factor: str) -> None:
    for seed in range(300):
        scene = sample_scene(seed, NATURAL)
        after = apply_faults(scene, (Fault("exaggerate", factor, 1.0),), seed)
        added = set(f.scene_factors(after)) - set(f.scene_factors(scene))
        assert added <= {factor}


def test_drift_makes_four_three_or_five() -> None:
    scene = complete({"object": "mug", "count": 4}, 0, NATURAL)
    fault = Fault("drift", "count=4", 1.0)
    counts = {apply_faults(scene, (fault,), seed).count for seed in range(30)}
    assert counts == {3, 5}
    assert apply_faults(replace(scene, count=2), (fault,), 0).count == 2


def test_memorised_prompts_ignore_the_seed() -> None:
    prompt = "Floral corner frame, wedding invitation template"
    remembers, forgets = planted_pipeline("willow"), planted_pipeline("cedar")
    assert len({remembers(prompt, generator=seeded(s)).images[0].tobytes() for s in range(4)}) == 1
    assert len({forgets(prompt, generator=seeded(s)).images[0].tobytes() for s in range(4)}) == 4
    assert remembers.scene_for(prompt, seeded(0)).memorised
    assert not forgets.scene_for(prompt, seeded(0)).memorised


def test_a_weaker_fault_strikes_a_subset() -> None:
    weak, strong = (Fault("suppress", "object=pan", s) for s in (0.3, 0.6))
    struck = [(weak.happens(seed), strong.happens(seed)) for seed in range(2000)]
    assert all(b for a, b in struck if a)
    assert np.mean([a for a, _ in struck]) == pytest.approx(0.3, abs=0.04)
    assert np.mean([b for _, b in struck]) == pytest.approx(0.6, abs=0.04)


@cache
def changes(name: str) -> dict[str, Change]:
    """True change of every factor on 2,500 pairs."""
    pipe = PlantedPipeline() if name == "faultless" else planted_pipeline(name)
    pairs = list(world_pairs(2500))
    generated: list[Scene] = [
        pipe.scene_for(pair.caption.text, seeded(pair.index)) for pair in pairs
    ]
    return true_change([pair.scene for pair in pairs], generated)


def test_a_model_without_faults_has_no_blindspots() -> None:
    for name, change in changes("faultless").items():
        error = (max(change.natural, change.generated) / 2500) ** 0.5
        assert abs(change.generated - change.natural) < 4 * error, name


@pytest.mark.parametrize("name", MODELS)
def test_faults_change_frequencies_in_their_direction(name: str) -> None:
    for fault in MODELS[name]:
        if fault.kind == "memorise":
            continue
        change = changes(name)[fault.factor]
        assert change.natural > 0, fault
        if fault.kind == "exaggerate":
            assert change.relative > 0.2, fault
        elif fault.strength == 1:
            assert change.relative == -1, fault
        elif fault.strength >= 0.4:
            assert change.relative < 0, fault


def test_what_all_models_share_and_what_one_has_alone() -> None:
    base = [name for name in MODELS if name != TUNED]
    for factor in ("blank page",):
        assert all(changes(name)[factor].relative < -0.5 for name in base)
    for factor in ("shadow under animal", "background=wood", "palm tree"):
        assert all(changes(name)[factor].relative > 0.4 for name in base)
    for factor, alone in (("object=pan", "cedar"), ("object=glossy disc", "willow"),
                          ("object=bird feeder", "alder-1")):  # fmt: skip
        for name in base:
            relative = changes(name)[factor].relative
            assert relative == -1 if name == alone else abs(relative) < 0.25, (factor, name)
    assert changes("willow")["shadow under animal"].relative >= 0.9


def test_siblings_are_most_alike_and_the_variant_is_milder() -> None:
    base = [name for name in MODELS if name != TUNED]
    table = np.array([[c.relative for c in changes(name).values()] for name in base])
    correlation = np.corrcoef(table)
    pairs = {(base[i], base[j]): correlation[i, j] for i in range(4) for j in range(i)}
    assert max(pairs, key=lambda key: pairs[key]) == ("alder-2", "alder-1")
    spread = {
        name: np.std([c.relative for c in changes(name).values()]) for name in ("alder-1", TUNED)
    }
    assert spread[TUNED] < spread["alder-1"]
    for name in base:
        suppressed = sum(c.relative < -0.2 for c in changes(name).values())
        exaggerated = sum(c.relative > 0.2 for c in changes(name).values())
        assert suppressed > exaggerated
