"""Prompts: where they come from, which captions name a concept, and what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.stress.naming_captions import naming_rows
from blindspots_hub.stress.prompt_lines import read_lines
from blindspots_hub.stress.prompt_sources import ASK, TEMPLATES, PromptSource
from blindspots_hub.stress.prompts import Prompts, prompt_id

FEEDER, WOOD, NAMELESS = 344, 65, 0


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(planted.BUNDLE)


def test_captions_name_a_concept_by_whole_words_in_either_number() -> None:
    captions = [
        "Two BIRD feeders!",
        "a bird",
        "a bird, and its feeder",
        "bird-feeder",
        "birdfeeder",
    ]
    assert naming_rows(captions, "bird feeder").tolist() == [0, 2, 3]
    assert naming_rows(["a dish", "dishes", "dished"], "the dish").tolist() == [0, 1]
    of_a_plural = ["a palm tree by the sea", "palm trees", "a palm", "palmtree"]
    assert naming_rows(of_a_plural, "palm trees").tolist() == [0, 1]
    assert naming_rows(["a berry", "berries", "berried"], "berry").tolist() == [0, 1]
    assert naming_rows(["a berry", "berries", "buried"], "berries").tolist() == [0, 1]
    assert naming_rows(["a bus", "buses", "busy"], "buses").tolist() == [0, 1]
    assert naming_rows(["a plan", "planes", "a plane"], "planes").tolist() == [1, 2]
    assert naming_rows(captions, "").tolist() == naming_rows(captions, "of the").tolist() == []


def test_captions_are_taken_where_they_name_it(bundle: Bundle) -> None:
    found = PromptSource()(bundle, FEEDER, 12, 0)
    assert found.origin == "captions that name it"
    assert len(found.texts) == 12
    assert all("bird feeder" in text.lower() for text in found.texts.values())
    assert found == PromptSource("captions")(bundle, FEEDER, 12, 0)
    assert found != PromptSource()(bundle, FEEDER, 12, 1)
    # More of them: those of fewer are among them, so that nothing is drawn twice.
    assert found.texts.items() <= PromptSource()(bundle, FEEDER, 20, 0).texts.items()
    # Seeds follow from the text, and are none that the evaluation drew the pair with.
    assert not set(found.texts) & set(bundle.image_ids(NATURAL))
    assert all(prompt_id(text) == i for i, text in found.texts.items())


def test_without_captions_that_name_it_there_are_templates_and_what_fires(bundle: Bundle) -> None:
    templates = PromptSource()(bundle, WOOD, 50, 0)
    assert templates.origin == "templates"
    assert len(templates.texts) == 50
    assert all("wood background" in text for text in templates.texts.values())
    firing = PromptSource("captions")(bundle, WOOD, 5, 0)
    assert firing.origin == "captions of images in which it fires"
    assert len(firing.texts) == 5


def test_files_of_prompts(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("\ufeffa {label} in a tree\n\n  a red {label}  \n{not this}\na red {label}\n")
    found = PromptSource.file(path)(bundle, FEEDER, 50, 0)
    assert list(found.texts.values()) == [
        "a bird feeder in a tree", "a red bird feeder", "{not this}",
    ]  # fmt: skip
    assert found.origin == "given"
    path.write_text('["one", "two"]')  # what the paper asks a language model for
    assert read_lines(path) == ["one", "two"]
    assert len(read_lines(TEMPLATES)) == 50


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no prompt"),
        (b"\n \n", "holds no prompt"),
        (b"one prompt\n", "holds 1 prompt: a stress test takes at least 2"),
        (b"\n".join(b"p %d" % i for i in range(10_000)), "more than 1,000 prompts"),
        (b"a\n" + b"x" * 3000 + b"\n", "Prompt 2 has 3000 characters"),
        ("猫が寝る\n犬".encode("shift_jis"), r"is not UTF-8 \(line 1\)"),
        (b"x" * (5 * 1024**2), "larger than 4 MiB"),
    ],
)
def test_a_bad_file_is_one_sentence(
    bundle: Bundle, tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    with pytest.raises(BlindspotsError, match=told) as error:
        PromptSource.file(path)(bundle, FEEDER, 50, 0)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_file_in_any_known_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("ein großer Vogel\na bird\n", encoding=encoding)
    assert read_lines(path) == ["ein großer Vogel", "a bird"]


def test_a_missing_file_and_a_name_that_is_missing(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match="cannot be read"):
        PromptSource.file(tmp_path / "none.txt")
    for source in (PromptSource("templates"), PromptSource.given(["a {label}", "b"])):
        with pytest.raises(BlindspotsError, match="Concept 0 has no name"):
            source(bundle, NAMELESS, 50, 0)
    with pytest.raises(BlindspotsError, match="100,000 prompts were asked for"):
        PromptSource()(bundle, FEEDER, 100_000, 0)


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(["a feeder in snow", "a feeder, close", ""]),
        'Here you are:\n```json\n["a feeder in snow", "a feeder, close"]\n```\nEnjoy!',
        '1. "a feeder in snow"\n2) a feeder, close\n',
        "- a feeder in snow\n* a feeder, close\n",
    ],
)
def test_a_language_model_writes_a_list(bundle: Bundle, answer: str) -> None:
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return answer

    found = PromptSource("written", ask=ask, name="a model")(bundle, FEEDER, 50, 0)
    assert list(found.texts.values()) == ["a feeder in snow", "a feeder, close"]
    assert found.origin == "written by a model"
    assert '"bird feeder". Suggest 50 prompts' in asked[0]
    assert "{" not in asked[0]
    assert "{label}" in ASK.read_text(encoding="utf-8")


@pytest.mark.parametrize("answer", ["", "I cannot help with that.", "[1, 2, 3]", "[" * 9999, "[]"])
def test_an_answer_without_prompts_is_one_sentence(bundle: Bundle, answer: str) -> None:
    source = PromptSource("written", ask=lambda text: answer, name="a model")
    with pytest.raises(BlindspotsError, match="a model wrote no list of prompts"):
        source(bundle, FEEDER, 50, 0)


def test_equal_prompts_are_one() -> None:
    assert len(Prompts.of(["a", "b", " a "], "given", "x").texts) == 2
