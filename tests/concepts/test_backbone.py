from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from concepts_fixtures import TINY, save_backbone, save_preprocessing
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from threads import torch_threads

from blindspots_hub.concepts.backbone import Backbone, TokenLayout
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils import hub_probe


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def backbone(folder):
    return Backbone.load(folder)


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)) for _ in range(7)]
    return torch.stack([TINY(image) for image in images])


def test_layout_names_class_registers_and_patches():
    layout = TokenLayout(cls=1, registers=4, grid=(16, 16))
    assert layout.tokens == 261
    assert layout.patches == slice(5, 261)


@pytest.mark.parametrize("registers", [None, 0, 4])
def test_layout_and_tokens_follow_the_config(tmp_path, pixels, registers):
    backbone = Backbone.load(save_backbone(tmp_path, registers))
    assert backbone.layout == TokenLayout(cls=1, registers=registers or 0, grid=(4, 4))
    tokens = backbone.tokens(pixels)
    assert tokens.shape == (7, 1 + (registers or 0) + 16, 16)
    assert tokens.dtype == torch.float32


def test_tokens_are_the_networks_last_hidden_state(folder, backbone, pixels):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model(pixels).last_hidden_state
    torch.testing.assert_close(backbone.tokens(pixels), expected, rtol=0, atol=1e-5)
    # after the final LayerNorm: its fresh weights leave every token with mean 0 and variance 1
    torch.testing.assert_close(expected.mean(-1), torch.zeros(7, 21), rtol=0, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(order=st.lists(st.integers(0, 6), min_size=1, max_size=9))
def test_tokens_do_not_depend_on_the_batch(backbone, pixels, order):
    together = backbone.tokens(pixels[order])
    for row, image in enumerate(order):
        assert torch.equal(together[row], backbone.tokens(pixels[image : image + 1])[0])


def test_no_images_give_no_tokens(backbone, pixels):
    assert backbone.tokens(pixels[:0]).shape == (0, 21, 16)


def test_pixels_of_another_size_are_refused(backbone):
    with pytest.raises(ValueError, match="28, 28"):
        backbone.tokens(torch.zeros(1, 3, 35, 35))


def test_half_precision_files_are_computed_in_fp32(tmp_path, folder, pixels):
    from transformers import AutoModel

    AutoModel.from_pretrained(folder).half().save_pretrained(tmp_path)
    save_preprocessing(tmp_path)
    half = Backbone.load(tmp_path)
    assert {p.dtype for p in half.network.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in half.network.parameters())
    torch.testing.assert_close(
        half.tokens(pixels), Backbone.load(folder).tokens(pixels), rtol=0, atol=0.02
    )


def test_tokens_do_not_depend_on_the_number_of_threads(backbone, pixels):
    expected = backbone.tokens(pixels)
    with torch_threads(3):
        assert torch.equal(backbone.tokens(pixels), expected)
        assert torch.equal(backbone.tokens(pixels[1:2]), expected[1:2])
        assert not backbone.tokens(pixels).requires_grad
        assert torch.get_num_threads() == 3


def test_fingerprint_is_of_weights_config_and_preprocessing(tmp_path, folder, backbone):
    assert Backbone.load(folder).fingerprint == backbone.fingerprint
    assert Backbone.load(save_backbone(tmp_path / "same")).fingerprint == backbone.fingerprint
    other = save_backbone(tmp_path / "other", seed=1)
    assert Backbone.load(other).fingerprint != backbone.fingerprint
    config = {**TINY.to_config(), "image_mean": [0.5, 0.5, 0.5]}
    (tmp_path / "same" / "preprocessor_config.json").write_text(json.dumps(config))
    assert Backbone.load(tmp_path / "same").fingerprint != backbone.fingerprint


@pytest.mark.parametrize(
    "missing", ["config.json", "preprocessor_config.json", "model.safetensors"]
)
def test_a_missing_file_is_named(tmp_path, missing):
    save_backbone(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(BlindspotsError, match=missing):
        Backbone.load(tmp_path)


def test_a_pickle_is_never_an_alternative(tmp_path):
    save_backbone(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(BlindspotsError, match=r"model\.safetensors"):
        Backbone.load(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 200, -100])
def test_truncated_weights_are_told_in_a_sentence(tmp_path, kept):
    weights = save_backbone(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(BlindspotsError, match="damaged"):
        Backbone.load(tmp_path)


def test_another_type_of_model_is_refused(tmp_path):
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    ViTModel(config).save_pretrained(tmp_path)
    save_preprocessing(tmp_path)
    with pytest.raises(BlindspotsError, match="'vit'"):
        Backbone.load(tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"), [("num_hidden_layers", 2), ("hidden_size", 32), ("patch_size", "x")]
)
def test_weights_that_do_not_fit_their_config_are_refused(tmp_path, setting, value):
    path = save_backbone(tmp_path) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), setting: value}))
    with pytest.raises(BlindspotsError, match="weights of"):
        Backbone.load(tmp_path)


@pytest.mark.parametrize("source", ["no/such/folder", "./nowhere", "plain"])
def test_a_missing_folder_is_told_in_a_sentence(source):
    with pytest.raises(BlindspotsError, match="neither a folder nor a Hub id"):
        Backbone.load(source)


def test_without_network_loading_from_the_hub_fails_at_once(monkeypatch, tmp_path):
    from huggingface_hub import constants

    class Stuck:
        def head(self, *_: object, **__: object) -> None:
            time.sleep(4)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.utils.get_session", Stuck)
    start = time.monotonic()
    with pytest.raises(BlindspotsError, match="cannot be reached"):
        Backbone.load("somebody/some-dinov2")
    assert time.monotonic() - start < 3.5


def test_the_probe_says_no_offline_and_yes_to_any_answer(monkeypatch):
    from huggingface_hub import constants

    class Answering:
        def head(self, *_: object, **__: object) -> int:
            return 503

    monkeypatch.setattr("huggingface_hub.utils.get_session", Answering)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert hub_probe.hub_reachable()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not hub_probe.hub_reachable()


def test_a_cached_model_needs_no_network(monkeypatch, tmp_path, backbone):
    sha = "0" * 40
    repo = tmp_path / "models--somebody--some-dinov2"
    save_backbone(repo / "snapshots" / sha)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(sha)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for revision in (None, sha):
        loaded = Backbone.load("somebody/some-dinov2", revision)
        assert loaded.fingerprint == backbone.fingerprint
        assert (loaded.source, loaded.revision) == ("somebody/some-dinov2", revision)


def test_the_papers_backbone_gives_261_tokens_of_768(tmp_path):
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    from blindspots_hub.concepts.preprocess import Preprocessing

    config = Dinov2WithRegistersConfig(patch_size=14, image_size=518, num_hidden_layers=1)
    Dinov2WithRegistersModel(config).save_pretrained(tmp_path)
    text = json.dumps(Preprocessing().to_config())
    (tmp_path / "preprocessor_config.json").write_text(text)
    backbone = Backbone.load(tmp_path)
    assert backbone.layout == TokenLayout(cls=1, registers=4, grid=(16, 16))
    assert backbone.tokens(torch.zeros(1, 3, 224, 224)).shape == (1, 261, 768)
