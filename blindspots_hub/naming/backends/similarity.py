"""CLIP and SigLIP: images and texts in one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blindspots_hub.concepts.preprocess import Preprocessing
from blindspots_hub.concepts.source import model_folder
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.foreign import check_loaded, check_part
from blindspots_hub.generation.generate import pick_device
from blindspots_hub.utils.files import public_name, read_json

KINDS = {"clip": "CLIP", "siglip": "SigLIP"}
"""Types of models, as their config.json names them."""

_NEEDED = ("config.json", "preprocessor_config.json", "model.safetensors", "tokenizer.json")
_ALLOWED = (
    *_NEEDED,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
)

BATCH = 64
"""Images or texts that are embedded at once."""


@dataclass(frozen=True)
class Scorer:
    """A CLIP (Radford et al. 2021) or SigLIP (Zhai et al. 2023) model as a `Similarity`."""

    network: Any
    tokenizer: Any
    preprocessing: Callable[[Image.Image], Any]
    name: str
    device: str
    kind: str = "clip"

    @classmethod
    def load(
        cls,
        source: str | Path,
        device: str | None = None,
        kinds: Sequence[str] = tuple(KINDS),
    ) -> Scorer:
        """From a folder or, by its id, from the Hub; safetensors only, no code of theirs.

        Raises `BlindspotsError` for files that are missing, or of none of the types `kinds`, or
        that ask for more than their weights hold.
        """
        from transformers import AutoModel, AutoTokenizer

        folder = model_folder(source, None, needed=_NEEDED, allow=_ALLOWED)
        kind = str(read_json(folder / "config.json").get("model_type"))
        if kind not in kinds:
            wanted = " or ".join(KINDS[one] for one in kinds)
            raise BlindspotsError(f"{source} is a model of type {kind!r}: give a {wanted} model.")
        check_part(folder, "", "model", str(source))
        where = pick_device(device)
        try:
            read = _reader(folder, kind)
            network, told = AutoModel.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        except (OSError, ValueError, RuntimeError) as error:
            why = " ".join(str(error).split())[:300]
            raise BlindspotsError(
                f"{source} cannot be loaded as a {KINDS[kind]} model ({why})."
            ) from error
        check_loaded(told, str(source))
        network = network.to(where).eval()
        return cls(network, tokenizer, read, public_name(source), where, kind)

    @property
    def width(self) -> int:
        """Length of an embedding, d."""
        if self.kind == "clip":
            return int(self.network.config.projection_dim)
        return int(self.network.config.vision_config.hidden_size)

    def images(self, files: Sequence[bytes | Image.Image | None]) -> np.ndarray:
        """Unit embeddings (N, d) of image files; NaN of None and of what cannot be decoded."""
        found = np.full((len(files), self.width), np.nan)
        for start in range(0, len(files), BATCH):
            pixels: dict[int, Any] = {}
            for row, file in enumerate(files[start : start + BATCH], start):
                if file is not None:
                    try:
                        image = open_image(file) if isinstance(file, bytes) else file
                    except BlindspotsError:
                        continue
                    pixels[row] = self.preprocessing(image)
            if pixels:
                found[list(pixels)] = self._images(list(pixels.values()))
        return found

    def _images(self, pixels: list[Any]) -> np.ndarray:
        import torch

        with torch.no_grad():
            stacked = torch.stack(pixels).to(self.device)
            seen = self.network.vision_model(pixel_values=stacked).pooler_output
            return _unit(self.network.visual_projection(seen) if self.kind == "clip" else seen)

    def texts(self, captions: Sequence[str]) -> np.ndarray:
        """Unit embeddings (N, d) of captions, cut to what the model reads."""
        parts = [
            self._texts(list(captions[start : start + BATCH]))
            for start in range(0, len(captions), BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.width))

    def _texts(self, captions: list[str]) -> np.ndarray:
        import torch

        most = int(self.network.config.text_config.max_position_embeddings)
        clip = self.kind == "clip"
        # SigLIP was trained with captions padded to its length, and reads the last position.
        told = self.tokenizer(
            captions,
            padding=True if clip else "max_length",
            truncation=True,
            max_length=most,
            return_tensors="pt",
        )
        asked = {"input_ids": told["input_ids"].to(self.device)}
        if clip:
            asked["attention_mask"] = told["attention_mask"].to(self.device)
        with torch.no_grad():
            read = self.network.text_model(**asked).pooler_output
            return _unit(self.network.text_projection(read) if clip else read)


def _reader(folder: Path, kind: str) -> Callable[[Image.Image], Any]:
    """What turns an image into the model's pixels, float32 (3, H, W)."""
    if kind == "clip":
        return Preprocessing.from_config(read_json(folder / "preprocessor_config.json"))
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)

    def pixels(image: Image.Image) -> Any:
        return processor(images=image, return_tensors="pt")["pixel_values"][0]

    return pixels


def _unit(embeddings: Any) -> np.ndarray:
    found = embeddings.float().cpu().numpy().astype(np.float64)
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))
