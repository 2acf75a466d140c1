"""The planted world's backbone: training it, and the one that is committed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor, AutoModel

import blindspots_hub.planted
from blindspots_hub.planted import factors as f
from blindspots_hub.planted.backbone_learner import PLACES, THINGS, Learner, _which
from blindspots_hub.planted.draw import draw, factor_masks
from blindspots_hub.planted.scene import FLATTENED, complete, sample_scene
from blindspots_hub.planted.train_backbone import IMAGE, normalised, train_backbone
from blindspots_hub.progress import drive

COMMITTED = Path(blindspots_hub.planted.__file__).parent / "bundle" / "backbone"


pytestmark = pytest.mark.usefixtures("one_thread")


def short(out: Path, seed: int) -> dict[str, object]:
    return drive(train_backbone(out, steps=3, seed=seed, images=24, batch=8, held_out=16))


def test_training_is_deterministic_and_loads_in_transformers(tmp_path: Path) -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    metrics = short(tmp_path / "a", 0)
    assert torch.equal(torch.get_rng_state(), state)  # the caller's random numbers are untouched
    torch.manual_seed(12)
    short(tmp_path / "b", 0)
    short(tmp_path / "c", 1)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]
    assert metrics["steps"] == 3
    assert len(metrics["auroc"]) > 10

    model = AutoModel.from_pretrained(tmp_path / "a", dtype=torch.float32).eval()
    processor = AutoImageProcessor.from_pretrained(tmp_path / "a")
    inputs = processor(images=[draw(sample_scene(1))], return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, IMAGE, IMAGE)
    tokens = model(**inputs).last_hidden_state
    assert tokens.shape == (1, 1 + 4 + 64, 192)
    assert json.loads((tmp_path / "a" / "config.json").read_text())["dtype"] == "float16"


def test_training_reads_what_the_processor_makes() -> None:
    processor = AutoImageProcessor.from_pretrained(COMMITTED)
    image = draw(sample_scene(3))
    made = processor(images=[image], return_tensors="pt")["pixel_values"]
    small = np.asarray(image.resize((IMAGE, IMAGE), 3))[None]
    assert float((made - normalised(small)).abs().max()) < 0.1


def test_which_names_the_factor_or_none() -> None:
    group = torch.tensor([[[0.0, 1, 0], [0, 0, 0], [1, 0, 0]]])
    assert _which(group).tolist() == [1, 3, 0]
    assert not set(THINGS) & set(PLACES)


def test_loss_falls_when_the_answer_is_known() -> None:
    torch.manual_seed(0)
    scenes = [sample_scene(seed, FLATTENED) for seed in range(4)]
    pixels = np.stack([np.asarray(draw(scene, IMAGE)) for scene in scenes])
    labels = torch.from_numpy(np.stack([factor_masks(scene).T for scene in scenes]))
    learner = Learner()
    optimiser = torch.optim.AdamW(learner.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        loss = learner.loss(normalised(pixels), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    told = learner.predict(normalised(pixels))
    assert told.shape == (4, 64, len(f.FACTORS))
    assert float(told.detach().max()) <= 0


@pytest.mark.parametrize(
    "factor", ["pan", "glossy disc", "bird feeder", "document", "dog", "palm tree"]
)
def test_committed_tokens_tell_things_apart(factor: str) -> None:
    """Patches of one thing are nearer to each other, over scenes, than to patches of another."""
    model = AutoModel.from_pretrained(COMMITTED, dtype=torch.float32).eval()

    def centre(name: str, seed: int) -> torch.Tensor:
        scene = complete({"object": name, "count": 1, "light": "daylight"}, seed, FLATTENED)
        with torch.inference_mode():
            pixels = np.asarray(draw(scene).resize((IMAGE, IMAGE), 3))[None]
            tokens = model(pixel_values=normalised(pixels)).last_hidden_state[0, 5:]
        row = f.FACTOR_INDEX["palm tree" if name == "palm tree" else f"object={name}"]
        return tokens[torch.from_numpy(factor_masks(scene)[row])].mean(dim=0)

    here = [centre(factor, seed) for seed in range(4)]
    there = [centre("car", seed) for seed in range(4)]
    similar = torch.nn.functional.cosine_similarity
    inside = np.mean([float(similar(here[0], other, dim=0)) for other in here[1:]])
    outside = np.mean([float(similar(here[0], other, dim=0)) for other in there])
    assert inside > outside + 0.1
