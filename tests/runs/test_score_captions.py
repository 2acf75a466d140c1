"""CLIPScore with a small CLIP of random weights, and what the analyses make of scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hub_fixtures import restate
from PIL import Image
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub import planted
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.artifacts.layout import table_path
from blindspots_hub.artifacts.schema import IMAGE_TEXT, NATURAL_IMAGES, PAIRS
from blindspots_hub.artifacts.writer import image_cell, write_table
from blindspots_hub.concepts.preprocess import Preprocessing
from blindspots_hub.data.images import encode_png
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.backends.similarity import Scorer
from blindspots_hub.progress import drive
from blindspots_hub.runs import score_captions as scoring
from blindspots_hub.runs.score_captions import _keep, clip_score, score_captions


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("clip") / "small"
    words = [
        "<pad>",
        "<end>",
        "<unk>",
        *["a", "photo", "of", "bird", "pan", "disc", "tree", "in", "the", "grass"],
    ]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>", unk_token="<unk>"
    )
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
             "num_attention_heads": 2}  # fmt: skip
    config = CLIPConfig(
        text_config={**small, "vocab_size": len(words), "max_position_embeddings": 12,
                     "eos_token_id": 1, "bos_token_id": 1, "pad_token_id": 0},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )  # fmt: skip
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    processing = Preprocessing(shortest_edge=32, crop=32).to_config()
    (folder / "preprocessor_config.json").write_text(json.dumps(processing))
    return folder


def with_images(root: Path) -> Path:
    """The same bundle with its natural images: small ones of one colour each."""
    table = pq.read_table(table_path(root, PAIRS))
    files = [encode_png(Image.new("RGB", (40, 36), (6 * i, 90, 255 - 6 * i))) for i in range(40)]
    columns = {name: table[name].to_pylist() for name in PAIRS.names}
    cells = [image_cell(file, f"{i}.png") for i, file in enumerate(files)]
    write_table(root, PAIRS, {**columns, "image": cells})
    restate(root)
    return root


def test_a_score_is_two_and_a_half_cosines() -> None:
    images = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    assert clip_score(images, np.array([[1.0, 0.0]] * 3)) == pytest.approx([2.5, 1.5, 0])


def test_every_pair_is_scored_and_analyses_use_it(clip: Path, tmp_path: Path) -> None:
    root = with_images(write_synthetic(tmp_path / "b", Synthetic(n_concepts=40, pairs=40)))
    means = drive(score_captions.stream(root, clip, "cpu"))
    assert set(means) == {"plain-a", "plain-b", "plain-c"}
    bundle = load_bundle(root)
    table = bundle.optional(IMAGE_TEXT, "plain-a")
    assert table is not None
    assert np.isfinite(table["natural"].to_numpy()).all()
    assert table["generated"].null_count == 40  # the synthetic bundle holds no generated images
    found = analysis("notable_pairs").answer(bundle, ("plain-a",))
    assert found.table["judged_by"] == ["scores"]


def test_a_mismatched_caption_is_another_pair_s_whatever_the_batch(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 40 pairs in batches of 39 the last one is alone in its batch."""
    found = []
    # Of a network that never learned most cosines are below 0, where a score is 0.
    monkeypatch.setattr(scoring, "clip_score", lambda images, texts: (images * texts).sum(axis=1))
    for batch in (39, 7):
        monkeypatch.setattr(scoring, "BATCH", batch)
        root = write_synthetic(tmp_path / str(batch), Synthetic(n_concepts=40, pairs=40))
        words = ("bird", "pan", "disc", "tree", "grass", "photo", "the")  # by its first it is told
        names = pq.read_table(table_path(root, NATURAL_IMAGES))
        captions = [f"{words[i % 7]} in the grass" for i in range(40)]
        write_table(root, NATURAL_IMAGES, {"pair_id": names["pair_id"], "caption": captions})
        drive(score_captions.stream(with_images(root), clip, "cpu"))
        table = load_bundle(root).optional(IMAGE_TEXT, "plain-a")
        assert table is not None
        found.append(table["mismatched"].to_numpy())
        assert (found[-1] != table["natural"].to_numpy()).sum() > 10
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def test_a_caption_s_embedding_does_not_depend_on_its_neighbours(clip: Path) -> None:
    scorer = Scorer.load(clip, "cpu")
    alone = scorer.texts(["a photo of bird"])
    beside = scorer.texts(["a photo of bird", "the grass " * 30])
    assert beside[0] == pytest.approx(alone[0], abs=1e-5)


def test_what_is_no_clip_is_told(clip: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(clip, tmp_path / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "siglip"}))
    with pytest.raises(BlindspotsError, match=r"cannot be loaded as a SigLIP model \([^\n]*\)\.$"):
        Scorer.load(other)
    with pytest.raises(BlindspotsError, match="type 'siglip': give a CLIP model"):
        Scorer.load(other, kinds=("clip",))
    (other / "config.json").write_text(json.dumps({**config, "model_type": "vit"}))
    with pytest.raises(BlindspotsError, match="type 'vit': give a CLIP or SigLIP model"):
        Scorer.load(other)
    with pytest.raises(BlindspotsError, match="neither a folder nor a Hub id"):
        Scorer.load("no such thing")


def test_scores_of_a_good_model_find_the_planted_noise(tmp_path: Path) -> None:
    """Scores as a model that knows the planted world would give them: from what captions state."""
    from planted_fixtures import embedded_evidence

    root = Path(shutil.copytree(planted.BUNDLE, tmp_path / "b"))
    bundle = load_bundle(root)
    captions = [pair.caption for pair in embedded_evidence().pairs.pairs]
    rng = np.random.default_rng(0)
    truth = np.array([one.noisy for one in captions])
    own = np.where(truth, 0.3, 0.8) + 0.08 * rng.normal(size=len(truth))
    other = 0.3 + 0.08 * rng.normal(size=len(truth))
    scores = {"natural": own, "mismatched": other, "generated": own}
    _keep(bundle, "cedar", bundle.image_ids("cedar"), scores, "made by hand")
    found = analysis("notable_pairs").answer(load_bundle(root), ("cedar",))
    assert found.table["judged_by"] == ["scores"]
    distance = bundle.distances("cedar")["distance"].to_numpy()
    top = np.argsort(distance, kind="stable")[::-1][: len(distance) // 10]
    assert found.table["noisy_share"][0] == pytest.approx(truth[top].mean(), abs=0.05)
