"""The backbone that never sees a label, at toy size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from blindspots_hub.planted import train_unlabelled as training
from blindspots_hub.planted.train_backbone import IMAGE
from blindspots_hub.planted.unlabelled_learner import (
    PROTOTYPES,
    SHAPE,
    SelfDistillation,
    balanced,
    view,
)
from blindspots_hub.progress import drive

pytestmark = pytest.mark.usefixtures("one_thread")


def short(out: Path, seed: int) -> dict[str, object]:
    return drive(training.train_unlabelled(out, steps=3, seed=seed, images=12, batch=4))


def test_training_is_deterministic_and_loads_in_transformers(tmp_path: Path) -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    report = short(tmp_path / "a", 0)
    assert torch.equal(torch.get_rng_state(), state)  # the caller's random numbers are untouched
    torch.manual_seed(12)
    short(tmp_path / "b", 0)
    short(tmp_path / "c", 1)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]
    assert 1 <= report["prototypes"] <= PROTOTYPES  # type: ignore[operator]
    model = AutoModel.from_pretrained(tmp_path / "a", dtype=torch.float32).eval()
    tokens = model(pixel_values=torch.zeros(1, 3, IMAGE, IMAGE)).last_hidden_state
    assert tokens.shape == (1, 1 + 4 + 64, SHAPE["hidden_size"])


def test_no_label_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blindspots_hub.planted import draw, factors

    def refuse(*_: object) -> None:
        raise AssertionError("a label was asked for")

    for owner, name in (
        (draw, "factor_masks"), (factors, "factor_vector"), (factors, "scene_factors"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, refuse)
    short(tmp_path, 0)


def test_assignments_use_all_prototypes_alike() -> None:
    scores = torch.rand(512, PROTOTYPES, generator=torch.Generator().manual_seed(0))
    scores[:, 0] += 0.5  # the prototype that everything would collapse onto
    given = balanced(scores, rounds=20)
    assert given.sum(dim=1) == pytest.approx(torch.ones(512))
    assert float(given.mean(dim=0).max()) < 1.2 / PROTOTYPES
    assert float(scores.softmax(dim=1).argmax(dim=1).eq(0).float().mean()) > 0.5


def test_views_are_random_crops_of_the_image() -> None:
    images = torch.linspace(0, 1, IMAGE).expand(6, 3, IMAGE, IMAGE)
    one, again = (view(images, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, again)
    assert one.shape == images.shape
    other = view(images, torch.Generator().manual_seed(2))
    assert not torch.equal(one, other)
    # A crop of a ramp is a ramp: its columns rise, or fall where it was mirrored.
    slopes = (one[:, 0, 0, -10] - one[:, 0, 0, 10]).sign()
    assert set(slopes.tolist()) == {1.0, -1.0}


def test_the_teacher_follows_the_student() -> None:
    torch.manual_seed(0)
    learner = SelfDistillation()
    before = learner.teacher.patch.prototypes.clone()
    with torch.no_grad():
        learner.student.patch.prototypes += 1.0
    learner.follow(0.9)
    assert learner.teacher.patch.prototypes == pytest.approx(before + 0.1, abs=1e-5)
    assert not any(weight.requires_grad for weight in learner.teacher.parameters())


def test_loss_falls_on_images_it_has_seen() -> None:
    torch.manual_seed(0)
    learner, generator = SelfDistillation(), torch.Generator().manual_seed(0)
    images = torch.randn(8, 3, IMAGE, IMAGE, generator=generator)
    optimiser = torch.optim.AdamW(learner.student.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = learner.loss(images, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        learner.follow(0.99)
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_the_command_trains_both_networks_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from blindspots_hub import cli
    from blindspots_hub.concepts.backbone import Backbone
    from blindspots_hub.planted import training as networks

    def small(out: Path):  # type: ignore[no-untyped-def]
        return training.train_unlabelled(out, steps=2, images=8, batch=4)

    def dictionary(out: Path, **_: float):  # type: ignore[no-untyped-def]
        yield from ()
        assert Backbone.load(out / "backbone").width == SHAPE["hidden_size"]
        return {"r2": 0.5, "l0": 2.0, "dead_share": 0.0}

    monkeypatch.setattr(networks, "train_unlabelled", small)
    monkeypatch.setattr(networks, "training_sae", dictionary)
    arguments = ["planted", "train", "--unlabelled", "--out", str(tmp_path), "--quiet"]
    run = CliRunner().invoke(cli.app, arguments)
    assert run.exit_code == 0, run.output
    assert "without labels" in run.output
    card = (tmp_path / "backbone" / "README.md").read_text()
    assert "self-distillation on images alone: 2 steps" in card
