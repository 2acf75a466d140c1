"""A language or image-text model of transformers, by its Hub id or folder, on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image

from blindspots_hub.concepts.source import download, model_folder
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.foreign import check_loaded, check_part
from blindspots_hub.generation.generate import pick_device
from blindspots_hub.naming.backends.base import LONGEST_ANSWER, Unanswered, Usage
from blindspots_hub.utils.files import public_name, read_json

_ALLOWED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")

ANSWER_TOKENS = 256
"""Tokens that an answer may have."""


@dataclass
class TransformersModel:
    """A model of transformers' own classes as a `TextModel`; it is asked one question at a time."""

    network: Any
    processor: Any
    name: str
    sees_images: bool
    device: str
    answer_tokens: int = ANSWER_TOKENS
    at_once: int = 1
    usage: Usage = field(default_factory=Usage)
    _lock: Any = field(default_factory=Lock, repr=False)

    @classmethod
    def load(cls, source: str | Path, device: str | None = None) -> TransformersModel:
        """From a folder or, by its id, from the Hub: safetensors only, no code of theirs.

        Whether it sees images is its type's: image-text-to-text, or causal language models. Raises
        `BlindspotsError` for another type, for missing files, and for configurations that ask for
        more than their weights hold.
        """
        from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
        from transformers.models.auto.modeling_auto import (
            MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
            MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        )

        folder = _folder(source)
        kind = read_json(folder / "config.json").get("model_type")
        sees = kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
        if not sees and kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
            raise BlindspotsError(
                f"{source} is a model of type {str(kind)[:60]!r}, which answers no questions: give "
                "an image-text-to-text model."
            )
        check_part(folder, "", "model", str(source))
        where = pick_device(device)
        auto = AutoModelForImageTextToText if sees else AutoModelForCausalLM
        try:
            processor = _processor(folder, sees)
            network, told = auto.from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=False,
                dtype="auto",
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
            why = " ".join(str(error).split())[:300]
            raise BlindspotsError(f"{source} cannot be loaded ({why}).") from error
        check_loaded(told, str(source))
        return cls(network.to(where).eval(), processor, public_name(source), sees, where)

    def ask(self, prompt: str, images: Sequence[Image.Image] = ()) -> str:
        """See `TextModel.ask`; the likeliest answer, so the same every time."""
        import torch

        if images and not self.sees_images:
            raise BlindspotsError(f"{self.name} takes no images: give an image-text-to-text model.")
        with self._lock, torch.no_grad():
            try:
                read = self._read(prompt, list(images))
                made = self.network.generate(
                    **read, max_new_tokens=self.answer_tokens, do_sample=False
                )
            except (ValueError, IndexError, RuntimeError) as error:
                why = " ".join(str(error).split())[:200]
                raise Unanswered(f"{self.name} cannot read the question ({why}).") from error
        asked = int(read["input_ids"].shape[1])
        new = made[0][asked:]
        self.usage.add(questions=1, prompt_tokens=asked, answer_tokens=len(new))
        words = str(self._tokenizer.decode(new, skip_special_tokens=True))[:LONGEST_ANSWER]
        if not words.strip():
            raise Unanswered(f"{self.name} answers nothing.")
        return words

    @property
    def _tokenizer(self) -> Any:
        return getattr(self.processor, "tokenizer", self.processor)

    def _read(self, prompt: str, images: list[Image.Image]) -> Any:
        """What the network is given."""
        content: Any = [{"type": "image", "image": one} for one in images]
        content = [*content, {"type": "text", "text": prompt}] if self.sees_images else prompt
        if getattr(self.processor, "chat_template", None):
            read = self.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        else:
            marks = str(getattr(self.processor, "image_token", "<image>")) * len(images)
            words = f"USER: {marks}\n{prompt} ASSISTANT:"
            options = {"images": images} if images else {}
            read = self.processor(text=words, return_tensors="pt", **options)
        return read.to(self.device, self.network.dtype) if images else read.to(self.device)


def _folder(source: str | Path) -> Path:
    folder = model_folder(source, None, needed=("config.json",), allow=_ALLOWED)
    if not any(folder.glob("*.safetensors")):
        if Path(source).expanduser().is_dir():
            raise BlindspotsError(f"{source} holds no weights as safetensors: give another model.")
        folder = download(str(source), None, _ALLOWED)
    return folder


def _processor(folder: Path, sees: bool) -> Any:
    from transformers import AutoProcessor, AutoTokenizer

    if not sees:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    if getattr(processor, "image_processor", None) is None:
        raise ValueError("it has no image processor")
    return processor
