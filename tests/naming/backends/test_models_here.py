"""Tiny models of the real classes, random weights, through transformers' own loading."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from model_fixtures import tiny_pieces
from PIL import Image
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.labels import rows_of
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.backends.base import TextModel
from blindspots_hub.naming.backends.similarity import Scorer
from blindspots_hub.naming.backends.transformers_model import TransformersModel
from blindspots_hub.runs.label import label
from blindspots_hub.runs.label_request import Naming

VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
          "num_attention_heads": 2, "image_size": 32, "patch_size": 16}  # fmt: skip
WORDS = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
         "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 64,
         "max_position_embeddings": 8192}  # fmt: skip
RED, BLUE = (Image.new("RGB", (40, 30), one) for one in ("red", "blue"))


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    folder = tmp_path_factory.mktemp("llava") / "small"
    torch.manual_seed(0)
    tokenizer = tiny_pieces(PreTrainedTokenizerFast)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION), text_config=LlamaConfig(**WORDS),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )  # fmt: skip
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        tokenizer, patch_size=16, vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("llama") / "small"
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**WORDS)).save_pretrained(folder)
    tiny_pieces(PreTrainedTokenizerFast).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import (
        PreTrainedTokenizerFast,
        SiglipConfig,
        SiglipImageProcessorPil,
        SiglipModel,
    )

    folder = tmp_path_factory.mktemp("siglip") / "small"
    torch.manual_seed(0)
    text = {name: value for name, value in WORDS.items() if name != "num_key_value_heads"}
    config = SiglipConfig(text_config={**text, "max_position_embeddings": 16}, vision_config=VISION)
    SiglipModel(config).save_pretrained(folder)
    tiny_pieces(PreTrainedTokenizerFast).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_a_vision_language_model_answers(llava: Path) -> None:
    model = TransformersModel.load(llava, "cpu")
    model.answer_tokens = 6
    assert isinstance(model, TextModel)
    assert model.sees_images
    told = model.ask("what is it", [RED, BLUE])
    assert told == model.ask("what is it", [RED, BLUE])
    assert model.usage.questions == 2
    assert model.usage.prompt_tokens > 2 * 8  # two images of four patches, twice
    assert str(llava) not in model.name


def test_images_reach_the_network(llava: Path) -> None:
    model = TransformersModel.load(llava, "cpu")
    one, other = (model._read("what", [image])["pixel_values"] for image in (RED, BLUE))
    assert one.shape == (1, 3, 32, 32)
    assert not np.allclose(one.numpy(), other.numpy())


def test_a_language_model_takes_words_alone(llama: Path) -> None:
    model = TransformersModel.load(llama, "cpu")
    model.answer_tokens = 4
    assert isinstance(model.ask("write a prompt"), str)
    assert not model.sees_images
    with pytest.raises(BlindspotsError, match="takes no images"):
        model.ask("what is it", [RED])


def test_it_is_asked_for_the_prompts_of_a_stress_test(llama: Path, tmp_path: Path) -> None:
    """Random weights write no list: that is told in a sentence, and nothing is drawn."""
    asked = ["stress", str(planted.BUNDLE), "planted/alder-1", "--concept", "344"]
    asked += ["--prompts-with", str(llama), "--num-prompts", "2", "--work", str(tmp_path)]
    refused = CliRunner().invoke(cli.app, asked)
    assert "wrote no list of prompts" in str(refused.exception)


def test_it_names_and_what_it_says_is_no_json(llava: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(planted.BUNDLE, tmp_path / "b"))
    found = label(root, llava, Naming((344,), judge="none", device="cpu"))
    assert found.named == 0  # random weights
    assert sum(found.unnamed.values()) == 1


def test_siglip_embeds_images_and_texts(siglip: Path) -> None:
    from transformers import SiglipModel, SiglipProcessor

    scorer = Scorer.load(siglip, "cpu")
    seen = scorer.images([RED, BLUE, None, b"no image"])
    texts = scorer.texts(["a cat", "a dog"])
    assert seen.shape == (4, 16)
    assert np.linalg.norm(seen[:2], axis=1) == pytest.approx(1)
    assert np.isnan(seen[2:]).all()
    network = SiglipModel.from_pretrained(siglip).eval()
    processor = SiglipProcessor.from_pretrained(siglip)
    read = processor(
        text=["a cat", "a dog"], images=[RED, BLUE], padding="max_length", max_length=16,
        return_tensors="pt",
    )  # fmt: skip
    read.pop("attention_mask", None)
    read.pop("token_type_ids", None)
    theirs = network(**read)
    assert seen[:2] == pytest.approx(theirs.image_embeds.detach().numpy(), abs=1e-5)
    assert texts == pytest.approx(theirs.text_embeds.detach().numpy(), abs=1e-5)


def test_siglip_names_from_a_vocabulary_and_judges(siglip: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(planted.BUNDLE, tmp_path / "b"))
    (tmp_path / "words.txt").write_text("cat\nbird feeder\n\ncat\n")
    how = Naming((8, 172, 344), vocabulary=tmp_path / "words.txt", device="cpu")
    found = label(root, siglip, how)
    assert (found.method, found.named) == ("vocabulary", 3)
    kept = [o for o in rows_of(load_bundle(root).label_table) if o.method == "vocabulary"]
    assert {o.label for o in kept} <= {"cat", "bird feeder"}
    assert all(o.faithfulness is not None and o.judge == o.model for o in kept)
    (tmp_path / "words.txt").write_text("\n")
    with pytest.raises(BlindspotsError, match="holds 0 words"):
        label(root, siglip, Naming((8,), vocabulary=tmp_path / "words.txt", again=True))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"auto_map": {"AutoModel": "x.py"}}, "can fetch and run code"),
        ({"quantization_config": {"a": 1}}, "is quantised"),
        ({"model_type": "vit"}, "answers no questions"),
    ],
)
def test_foreign_models_are_looked_through(
    llava: Path, tmp_path: Path, change: dict[str, object], told: str
) -> None:
    other = Path(shutil.copytree(llava, tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(BlindspotsError, match=told):
        TransformersModel.load(other, "cpu")


def test_a_small_file_cannot_ask_for_much(llava: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(llava, tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 10_000_000
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(BlindspotsError, match="num_hidden_layers"):
        TransformersModel.load(other, "cpu")
    (other / "model.safetensors").unlink()
    with pytest.raises(BlindspotsError, match="no weights as safetensors"):
        TransformersModel.load(other, "cpu")
