from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional
from training_fixtures import planted_tokens, small

from blindspots_hub import paper
from blindspots_hub.concepts.quality.reconstruction import reconstruction_quality
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.training.kmeans import token_centroids
from blindspots_hub.concepts.training.schedule import learning_rate
from blindspots_hub.concepts.training.train import TrainConfig, train_on_tokens
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, drive
from blindspots_hub.utils.distributed import Processes

RULES = ["topk", "batch_topk"]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("rule", RULES)
def test_recovers_planted_directions(rule):
    tokens, directions = planted_tokens()
    events: list[Event] = []
    config = small(sparsity=rule)
    sae = drive(train_on_tokens(tokens[:7000], config, seed=0), events.append)
    quality = reconstruction_quality(sae, tokens[7000:])
    assert quality["r2"] > 0.9
    assert quality["l0"] <= 2 if rule == "topk" else quality["l0"] > 0
    assert quality["dead_share"] < 0.5
    cosines = functional.normalize(sae.dictionary).numpy() @ directions.T
    assert (cosines.max(0) > 0.9).mean() > 0.9
    last = events[-1]
    assert (last.done, last.total) == (500, 500)
    assert set(last.detail) == {"loss", "r2", "l0", "dead_share", "rate", "stability"}
    assert last.detail["r2"] == pytest.approx(quality["r2"], abs=0.1)
    first = next(event for event in events if "r2" in event.detail)
    assert first.detail["r2"] > -2  # the first reconstructions have the tokens' scale
    if rule == "batch_topk":
        assert sae.config.threshold is not None
        # the threshold has caught up with training: inference keeps as many codes as training did
        assert quality["l0"] == pytest.approx(last.detail["l0"], rel=0.05)


@pytest.mark.parametrize("rule", RULES)
def test_the_same_seed_gives_the_same_model(rule):
    tokens, _ = planted_tokens()
    config = small(sparsity=rule, steps=20, kmeans_steps=5)
    first, again = (drive(train_on_tokens(tokens, config, seed=3)).fingerprint for _ in range(2))
    assert first == again
    assert drive(train_on_tokens(torch.from_numpy(tokens), config, seed=3)).fingerprint == first
    assert drive(train_on_tokens(tokens, config, seed=4)).fingerprint != first


def test_what_was_trained_is_recorded(tmp_path):
    settings = {
        "steps": 2,
        "kmeans_steps": 1,
        "relaxation": 0.5,
        "backbone_revision": "abc",
        "backbone_fingerprint": "f" * 64,
        "origin": "a test",
    }
    sae = drive(train_on_tokens(planted_tokens()[0], small(**settings), seed=0))
    sae.save_pretrained(tmp_path)
    config = RASAE.from_pretrained(tmp_path).config
    assert (config.d, config.n_concepts, config.k, config.relaxation) == (24, 48, 2, 0.5)
    assert (config.backbone, config.backbone_revision) == ("synthetic", "abc")
    assert (config.backbone_fingerprint, config.origin) == ("f" * 64, "a test")


def test_quality_is_what_plain_numpy_computes():
    tokens, _ = planted_tokens()
    config = small(steps=30, kmeans_steps=5)
    sae = drive(train_on_tokens(tokens, config, seed=0))
    quality = reconstruction_quality(sae, tokens, chunk=700)
    codes = sae.encode(torch.from_numpy(tokens)).to_dense().astype(np.float64)
    error = ((codes @ sae.dictionary.double().numpy() - tokens) ** 2).sum()
    assert quality["r2"] == pytest.approx(1 - error / ((tokens - tokens.mean(0)) ** 2).sum(), 1e-4)
    assert quality["l0"] == pytest.approx((codes > 0).sum(1).mean(), 1e-4)
    assert quality["dead_share"] == pytest.approx((codes.max(0) == 0).mean())


def test_schedule_warms_up_and_falls_to_the_final_rate():
    rates = [learning_rate(step, 1000, 0.05, 5e-4, 1e-6) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[49] == rates[50] == max(rates) == 5e-4
    assert rates[-1] == pytest.approx(1e-6)
    assert rates[524] == pytest.approx((5e-4 + 1e-6) / 2, rel=0.01)
    assert all(later < earlier for earlier, later in pairwise(rates[50:]))
    assert learning_rate(0, 1, 0.05, 5e-4, 1e-6) == 5e-4


def test_the_defaults_are_the_papers():
    config = TrainConfig()
    assert (config.n_concepts, config.k, config.epochs) == (paper.CONCEPTS, paper.TOP_K, 50)
    assert (config.betas, config.weight_decay) == ((0.9, 0.999), 1e-5)
    assert (config.peak_rate, config.final_rate, config.warmup_share) == (5e-4, 1e-6, 0.05)
    assert config.auxiliary_weight == 1e-5
    assert config.total_steps(4096 * 10 + 1) == 501
    assert (config.n_centroids, config.relaxation) == (paper.CONCEPTS, paper.RELAXATION)
    # fp16 for 40 of 50 epochs on CUDA, then fp32
    on_cuda = [TrainConfig(device="cuda:1").dtype(step, 50) for step in range(50)]
    assert on_cuda == [torch.float16] * 40 + [torch.float32] * 10
    assert config.dtype(0, 50) == torch.float32


def test_centroids_are_of_the_data():
    tokens, _ = planted_tokens()
    centroids = drive(token_centroids(tokens, 32, steps=20, batch=512, seed=0))
    assert centroids.shape == (32, 24)
    assert centroids.dtype == np.float32
    nearest = ((tokens[:, None] - centroids[None]) ** 2).sum(2).min(1).mean()
    assert nearest < 0.5 * ((tokens - tokens.mean(0)) ** 2).sum(1).mean()
    probes = np.random.default_rng(0).normal(size=(24, 300))
    assert ((centroids @ probes) <= (tokens @ probes).max(0) + 1e-4).all()


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (np.zeros((5, 24), np.float32), "5 tokens"),
        (np.full((500, 24), np.nan, np.float32), "NaN"),
        (np.zeros((3, 200, 24), np.float32), "shape"),
        (np.zeros((0, 24), np.float32), "shape"),
    ],
)
def test_unusable_tokens_are_told_in_a_sentence(tokens, words):
    with pytest.raises(BlindspotsError, match=words):
        drive(train_on_tokens(tokens, small(), seed=0))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sparsity": "jump"}, "topk or batch_topk"),
        ({"precision": "fp8"}, "fp16"),
        ({"k": 0}, "k = 0"),
        ({"k": 49}, "k = 49"),
        ({"batch": 0}, "batch of at least 1"),
        ({"steps": 0}, "at least 1 step"),
        ({"relaxation": -1.0}, "relaxation of at least 0"),
        ({"peak_rate": -1.0}, "peak_rate of at least 0"),
        ({"peak_rate": float("nan")}, "peak_rate of at least 0"),
        ({"full_precision_share": 3.0}, "full_precision_share between 0 and 1"),
    ],
)
def test_settings_that_cannot_be_are_told_in_a_sentence(settings, words):
    with pytest.raises(BlindspotsError, match=words):
        small(**settings)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("rule", "precision"), [("topk", "bf16"), ("batch_topk", "fp16")])
def test_mixed_precision_ends_where_full_precision_does(rule, precision):
    tokens, _ = planted_tokens()
    qualities = [
        reconstruction_quality(
            drive(
                train_on_tokens(tokens[:7000], small(sparsity=rule, precision=p, steps=250), seed=0)
            ),
            tokens[7000:],
        )
        for p in ("fp32", precision)
    ]
    assert qualities[1]["r2"] == pytest.approx(qualities[0]["r2"], abs=0.02)
    assert qualities[1]["l0"] == pytest.approx(qualities[0]["l0"], rel=0.1)


def test_atoms_settle_while_training():
    tokens, _ = planted_tokens()
    events: list[Event] = []
    drive(train_on_tokens(tokens, small(steps=300), seed=0), events.append)
    stability = [event.detail["stability"] for event in events if "stability" in event.detail]
    assert all(value <= 1 + 1e-6 for value in stability)
    assert min(stability) < 0.9999 < stability[-1]


def test_a_batch_has_a_token_for_every_process():
    work = train_on_tokens(planted_tokens()[0], small(batch=3), seed=0, processes=Processes(0, 4))
    with pytest.raises(BlindspotsError, match="larger batch"):
        drive(work)


def test_a_seed_is_not_negative():
    with pytest.raises(BlindspotsError, match="seed"):
        drive(train_on_tokens(planted_tokens()[0], small(), seed=-1))


def test_a_training_that_diverges_is_told():
    work = train_on_tokens(planted_tokens()[0], small(peak_rate=1e30), seed=0)
    with pytest.raises(BlindspotsError, match=r"diverged.*lower peak rate"):
        drive(work)


def test_a_batch_of_one_token_has_no_r2():
    events: list[Event] = []
    drive(train_on_tokens(planted_tokens()[0], small(batch=1, steps=11), seed=0), events.append)
    told = [event.detail for event in events if "loss" in event.detail]
    assert told
    assert all("r2" not in detail for detail in told)
