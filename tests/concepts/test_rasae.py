from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from concepts_fixtures import tiny_rasae
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub.concepts.encoder.select import at_least, top_k
from blindspots_hub.concepts.rasae import RASAE, RASAEConfig
from blindspots_hub.errors import BlindspotsError


def golden_pre_codes(sae: RASAE, tokens: torch.Tensor) -> np.ndarray:
    """METHOD section 2 in float64 numpy: ReLU(LayerNorm(W a + b))."""
    state = {name: tensor.double().numpy() for name, tensor in sae.state_dict().items()}
    hidden = tokens.double().numpy() @ state["encoder.weight"].T + state["encoder.bias"]
    centred = hidden - hidden.mean(1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(1, keepdims=True) + sae.config.layer_norm_eps)
    return np.maximum(normed * state["norm.weight"] + state["norm.bias"], 0)


@pytest.fixture(scope="module")
def tokens():
    return torch.randn(50, 6, generator=torch.Generator().manual_seed(1))


def test_topk_equals_a_plain_float64_computation(tokens):
    sae = tiny_rasae()
    pre = golden_pre_codes(sae, tokens)
    expected = np.zeros_like(pre)
    for row, codes in enumerate(pre):
        kept = np.argsort(-codes)[:3]
        expected[row, kept] = codes[kept]
    codes = sae.encode(tokens)
    np.testing.assert_allclose(codes.to_dense(), expected, atol=1e-5)
    decoded = sae.decode(codes).numpy()
    np.testing.assert_allclose(decoded, expected @ sae.dictionary.double().numpy(), atol=1e-4)


def test_batch_topk_keeps_what_reaches_the_threshold(tokens):
    sae = tiny_rasae(sparsity="batch_topk", threshold=1.25)
    pre = golden_pre_codes(sae, tokens)
    assert np.abs(pre - 1.25).min() > 1e-4  # no code so near that float32 may decide otherwise
    codes = sae.encode(tokens)
    np.testing.assert_allclose(codes.to_dense(), np.where(pre >= 1.25, pre, 0), atol=1e-5)
    assert len(set(np.diff(codes.indptr))) > 1  # as many codes as there are, not k


def test_pre_codes_are_the_dense_codes(tokens):
    sae = tiny_rasae()
    np.testing.assert_allclose(
        sae.pre_codes(tokens).numpy(), golden_pre_codes(sae, tokens), atol=1e-5
    )


small_codes = st.lists(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=6, max_size=6), min_size=1, max_size=5
)


@given(small_codes, st.integers(1, 6))
def test_ties_go_to_the_lower_concept(rows, k):
    codes = top_k(torch.tensor(rows), k)
    for token, row in enumerate(rows):
        ranked = sorted(range(6), key=lambda concept: (-row[concept], concept))
        expected = sorted(concept for concept in ranked[:k] if row[concept] > 0)
        kept = codes.rows(token, token + 1)
        assert kept.concepts.tolist() == expected
        assert kept.values.tolist() == [row[concept] for concept in expected]
    assert codes.indptr.dtype == np.int64
    assert codes.concepts.dtype == np.int32
    assert codes.values.dtype == np.float32


@given(small_codes)
def test_a_code_equal_to_the_threshold_stays(rows):
    dense = np.array(rows, np.float32)
    kept = at_least(torch.tensor(rows), 0.5)
    assert np.array_equal(kept.to_dense(), np.where(dense >= 0.5, dense, 0))


def test_no_tokens_and_silent_tokens(tokens):
    sae = tiny_rasae(sparsity="batch_topk", threshold=100.0)
    silent = sae.encode(tokens)
    assert silent.nnz == 0
    assert torch.equal(sae.decode(silent), torch.zeros(50, 6))
    for rule in (sae, tiny_rasae()):
        assert rule.encode(tokens[:0]).tokens == 0


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("rule", [{}, {"sparsity": "batch_topk", "threshold": 1.25}])
def test_saved_and_loaded_it_is_the_same_model(tmp_path, tokens, dtype, rule):
    sae = tiny_rasae(**rule).stored_as(dtype)
    sae.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    loaded = RASAE.from_pretrained(tmp_path)
    assert loaded.config == sae.config
    assert loaded.fingerprint == sae.fingerprint
    assert not loaded.training
    assert {p.dtype for p in loaded.state_dict().values()} == {torch.float32}
    assert np.array_equal(loaded.encode(tokens).to_dense(), sae.encode(tokens).to_dense())
    assert torch.equal(loaded.dictionary, sae.dictionary)


def test_half_precision_halves_the_file(tmp_path):
    sae = tiny_rasae(d=64, n_concepts=256)
    sizes = []
    for dtype in ("float32", "float16"):
        sae.stored_as(dtype).save_pretrained(tmp_path)
        sizes.append((tmp_path / "model.safetensors").stat().st_size)
    assert sizes[1] < 0.55 * sizes[0]


def test_fingerprint_is_of_weights_and_config():
    assert tiny_rasae().fingerprint == tiny_rasae().fingerprint
    others = [tiny_rasae(seed=1), tiny_rasae(k=2), tiny_rasae().stored_as("float16")]
    assert len({sae.fingerprint for sae in [tiny_rasae(), *others]}) == 4


def altered(folder, **settings):
    tiny_rasae().save_pretrained(folder)
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **settings}
    path.write_text(json.dumps({k: v for k, v in config.items() if v != "absent"}))
    return folder


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"sparsity": "batch_topk"}, "threshold"),
        ({"sparsity": "batch_topk", "threshold": 0}, "threshold"),
        ({"sparsity": "batch_topk", "threshold": "0.8"}, "threshold"),
        ({"sparsity": "batch_topk", "threshold": float("nan")}, "NaN is no number"),
        ({"threshold": "absent"}, "threshold"),
        ({"sparsity": "jumprelu"}, "jumprelu"),
        ({"n_concepts": 41}, r"asks for \(41"),
        ({"d": 5}, r"asks for \(40, 5\)"),
        ({"d": True}, "d = True"),
        ({"k": 0}, "k = 0"),
        ({"k": 41}, "k = 41"),
        ({"weights_dtype": "int8"}, "int8"),
        ({"layer_norm_eps": 0}, "layer_norm_eps"),
        ({"running_threshold": 0.8}, "running_threshold"),
        ({"backbone": None}, "backbone"),
    ],
)
def test_an_altered_config_is_told_in_a_sentence(tmp_path, settings_, words):
    with pytest.raises(BlindspotsError, match=words):
        RASAE.from_pretrained(altered(tmp_path, **settings_))


def test_an_unaltered_config_loads(tmp_path):
    assert RASAE.from_pretrained(altered(tmp_path)).fingerprint == tiny_rasae().fingerprint


@pytest.mark.parametrize("kept", [0, 100, -7])
def test_truncated_weights_are_told_in_a_sentence(tmp_path, kept):
    tiny_rasae().save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(BlindspotsError, match="damaged"):
        RASAE.from_pretrained(tmp_path)


def test_weights_without_a_dictionary_are_refused():
    sae = tiny_rasae()
    weights = {k: v for k, v in sae.state_dict().items() if k != "dictionary"}
    with pytest.raises(BlindspotsError, match="nothing for dictionary"):
        RASAE.from_weights(sae.config, weights)


def test_tokens_of_another_backbone_are_refused():
    with pytest.raises(BlindspotsError, match="width 6"):
        tiny_rasae().encode(torch.zeros(3, 7))
    with pytest.raises(BlindspotsError, match="NaN"):
        tiny_rasae().encode(torch.full((3, 6), float("nan")))


def test_fresh_weights_are_glorots():
    sae = RASAE(RASAEConfig(d=100, n_concepts=300))
    bound = (6 / 400) ** 0.5
    assert 0.95 * bound < float(sae.encoder.weight.detach().abs().max()) <= bound
