from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional

from blindspots_hub import paper
from blindspots_hub.concepts.kmeans import token_centroids
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.schedule import learning_rate
from blindspots_hub.concepts.sparse_encoder import SparseEncoder
from blindspots_hub.concepts.train import TrainConfig, evaluate_sae, train_sae
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, drive

RULES = ["topk", "batch_topk"]
SMALL = TrainConfig(
    n_concepts=48,
    n_centroids=48,
    k=2,
    steps=500,
    batch=512,
    peak_rate=5e-3,
    kmeans_steps=30,
    backbone="synthetic",
)


def planted_tokens(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """8,000 tokens of width 24 and norm 8, of one or two of 16 directions each; the directions.

    All of one norm, as a backbone's tokens nearly are after its LayerNorm: the encoder's own
    LayerNorm cannot see a token's length.
    """
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(24, 24)))[0][:16]
    codes = np.zeros((8000, 16))
    codes[np.arange(8000), rng.integers(0, 16, 8000)] += rng.uniform(5, 10, 8000)
    second = np.flatnonzero(rng.random(8000) < 0.4)
    codes[second, rng.integers(0, 16, len(second))] += rng.uniform(5, 10, len(second))
    tokens = codes @ directions + 0.1 * rng.normal(size=(8000, 24))
    tokens *= 8 / np.linalg.norm(tokens, axis=1, keepdims=True)
    return tokens.astype(np.float32), directions


@pytest.fixture
def one_thread():
    """Products this small only wait for each other on a busy machine's second core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("rule", RULES)
def test_recovers_planted_directions(rule):
    tokens, directions = planted_tokens()
    events: list[Event] = []
    config = TrainConfig(**{**vars(SMALL), "sparsity": rule})
    sae = drive(train_sae(tokens[:7000], config, seed=0), events.append)
    quality = evaluate_sae(sae, tokens[7000:])
    assert quality["r2"] > 0.9
    assert quality["l0"] <= 2 if rule == "topk" else quality["l0"] > 0
    assert quality["dead_share"] < 0.5
    cosines = functional.normalize(sae.dictionary).numpy() @ directions.T
    assert (cosines.max(0) > 0.9).mean() > 0.9
    last = events[-1]
    assert (last.done, last.total) == (500, 500)
    assert set(last.detail) == {"loss", "r2", "l0", "dead_share"}
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
    config = TrainConfig(**{**vars(SMALL), "sparsity": rule, "steps": 20, "kmeans_steps": 5})
    first, again = (drive(train_sae(tokens, config, seed=3)).fingerprint for _ in range(2))
    assert first == again
    assert drive(train_sae(torch.from_numpy(tokens), config, seed=3)).fingerprint == first
    assert drive(train_sae(tokens, config, seed=4)).fingerprint != first


def test_what_was_trained_is_recorded(tmp_path):
    settings = {
        "steps": 2,
        "kmeans_steps": 1,
        "relaxation": 0.5,
        "backbone_revision": "abc",
        "backbone_fingerprint": "f" * 64,
        "origin": "a test",
    }
    sae = drive(train_sae(planted_tokens()[0], TrainConfig(**{**vars(SMALL), **settings}), seed=0))
    sae.save_pretrained(tmp_path)
    config = RASAE.from_pretrained(tmp_path).config
    assert (config.d, config.n_concepts, config.k, config.relaxation) == (24, 48, 2, 0.5)
    assert (config.backbone, config.backbone_revision) == ("synthetic", "abc")
    assert (config.backbone_fingerprint, config.origin) == ("f" * 64, "a test")


def test_quality_is_what_plain_numpy_computes():
    tokens, _ = planted_tokens()
    config = TrainConfig(**{**vars(SMALL), "steps": 30, "kmeans_steps": 5})
    sae = drive(train_sae(tokens, config, seed=0))
    quality = evaluate_sae(sae, tokens, chunk=700)
    codes = sae.encode(torch.from_numpy(tokens)).to_dense().astype(np.float64)
    error = ((codes @ sae.dictionary.double().numpy() - tokens) ** 2).sum()
    assert quality["r2"] == pytest.approx(1 - error / ((tokens - tokens.mean(0)) ** 2).sum(), 1e-4)
    assert quality["l0"] == pytest.approx((codes > 0).sum(1).mean(), 1e-4)
    assert quality["dead_share"] == pytest.approx((codes.max(0) == 0).mean())


@pytest.mark.parametrize("rule", RULES)
def test_sparse_backward_equals_autograd(rule):
    g = torch.Generator().manual_seed(0)
    encoder = SparseEncoder(6, 20, 3, rule, eps=1e-5, generator=g).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=g).double()
    x = torch.randn(11, 6, generator=g).double()
    target = torch.randn(11, 20, generator=g).double()

    kept = encoder(x)
    tokens = torch.searchsorted(kept.offsets, torch.arange(len(kept.concepts)), right=True) - 1
    loss = (kept.values * target[tokens, kept.concepts]).sum() + 5 * kept.dead_mean
    ours = torch.autograd.grad(loss, list(encoder.parameters()))

    hidden = functional.linear(x, encoder.weight, encoder.bias)
    pre = functional.layer_norm(hidden, (20,), encoder.gain, encoder.shift, encoder.eps)
    chosen = encoder.select(pre.detach())
    fired = torch.zeros(20, dtype=torch.bool)
    fired[chosen[1]] = True
    assert torch.equal(kept.dead, ~fired)
    assert 0 < int(kept.dead.sum()) < 20
    plain = (pre[chosen] * target[chosen]).sum() + 5 * (pre * ~fired).sum() / pre.numel()
    torch.testing.assert_close(loss, plain)
    for got, expected in zip(
        ours, torch.autograd.grad(plain, list(encoder.parameters())), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_the_auxiliary_term_reaches_the_encoder():
    encoder = SparseEncoder(6, 20, 2, "topk", eps=1e-5, generator=torch.Generator().manual_seed(0))
    kept = encoder(torch.randn(3, 6, generator=torch.Generator().manual_seed(1)))
    (-kept.dead_mean).backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None
        assert (parameter.grad != 0).any(), name
    # silent concepts are pulled up, and nothing else is
    assert encoder.shift.grad is not None
    assert (encoder.shift.grad[kept.dead] < 0).all()
    assert (encoder.shift.grad[~kept.dead] == 0).all()


def test_batch_topk_keeps_the_largest_of_the_whole_batch():
    encoder = SparseEncoder(4, 5, 2, "batch_topk", eps=1e-5)
    pre = torch.tensor([[9.0, 8.0, 7.0, 6.0, 1.0], [2.0, 1.0, -1.0, 0.0, 0.5]])
    tokens, concepts = encoder.select(pre)
    assert tokens.tolist() == [0, 0, 0, 0]
    assert concepts.tolist() == [0, 1, 2, 3]


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
        drive(train_sae(tokens, SMALL, seed=0))
