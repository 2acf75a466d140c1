"""Which labeller a user means by what they name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from blindspots_hub.artifacts.labels import CAPTION_WORDS
from blindspots_hub.concepts.source import model_folder
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.naming.backends.base import Similarity, TextModel
from blindspots_hub.naming.backends.endpoint import PREFIX, Endpoint
from blindspots_hub.naming.backends.similarity import KINDS, Scorer
from blindspots_hub.naming.backends.transformers_model import TransformersModel
from blindspots_hub.utils.files import read_json

WORDS = "caption-words"
"""What a user names where no model is wanted."""

ANSWERS = "image-text model"
VOCABULARY = "vocabulary"
"""Methods of names, beside `CAPTION_WORDS`."""


@dataclass(frozen=True)
class Labeller:
    """Who gives names: by `text`, by `similarity` or, where both are None, by captions' words."""

    method: str
    model: str | None = None
    text: TextModel | None = None
    similarity: Similarity | None = None


def labeller_of(
    source: str | Path | TextModel | Similarity,
    model: str | None = None,
    device: str | None = None,
    at_once: int | None = None,
) -> Labeller:
    """The labeller; models on this machine are loaded, endpoints are not asked yet.

    `model` is the name that an endpoint is asked for, `at_once` its questions at the same time.
    """
    if source == WORDS:
        return Labeller(CAPTION_WORDS)
    if not isinstance(source, (str, Path)):
        if isinstance(source, TextModel):
            return Labeller(ANSWERS, source.name, text=source)
        return Labeller(VOCABULARY, source.name, similarity=source)
    if is_similarity(source):
        scorer = Scorer.load(source, device)
        return Labeller(VOCABULARY, scorer.name, similarity=scorer)
    asked = text_model_of(source, model, device, at_once)
    return Labeller(ANSWERS, asked.name, text=asked)


def text_model_of(
    source: str | Path,
    model: str | None = None,
    device: str | None = None,
    at_once: int | None = None,
    answer_tokens: int | None = None,
) -> TextModel:
    """A model that answers: an endpoint by its address or `hf:OWNER/NAME`, else one loaded here.

    `answer_tokens` are the most that an answer has, each backend's own number unless given.
    """
    if isinstance(source, str) and (source.startswith(PREFIX) or "://" in source):
        named = {"at_once": at_once, "answer_tokens": answer_tokens}
        options = {name: value for name, value in named.items() if value is not None}
        return Endpoint.of(source, model, **options)
    loaded = TransformersModel.load(source, device)
    return loaded if answer_tokens is None else replace(loaded, answer_tokens=answer_tokens)


def similarity_of(source: str | Path | Similarity, device: str | None = None) -> Similarity:
    """A CLIP or SigLIP, loaded unless it is one."""
    return Scorer.load(source, device) if isinstance(source, (str, Path)) else source


def is_similarity(source: str | Path) -> bool:
    """Whether a folder or Hub id is a CLIP or SigLIP, by its config.json."""
    if isinstance(source, str) and (source.startswith(PREFIX) or "://" in source):
        return False
    try:
        folder = model_folder(source, None, needed=("config.json",), allow=("*.json",))
    except BlindspotsError as error:
        raise BlindspotsError(
            f"{error} Names come from {WORDS}, a model, https://HOST/v1 or {PREFIX}OWNER/NAME."
        ) from error
    return read_json(folder / "config.json").get("model_type") in KINDS
