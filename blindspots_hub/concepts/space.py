"""A concept space: a backbone with the RA-SAE that was trained on its tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from PIL import Image

from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.codes import ImageCodes, SparseCodes, token_features
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint


@dataclass(frozen=True)
class ConceptSpace:
    """Turns an image into concept codes; two spaces with one fingerprint give the same codes."""

    backbone: Backbone
    sae: RASAE
    domain: Domain | None = None
    """The images that it was trained on, where they are known; codes do not depend on it."""

    def __post_init__(self) -> None:
        config = self.sae.config
        if config.d != self.backbone.width:
            raise BlindspotsError(
                f"The RA-SAE reads tokens of width {config.d}, the backbone {self.backbone.source} "
                f"gives {self.backbone.width}: use the backbone named in the RA-SAE's config.json."
            )
        expected = config.backbone_fingerprint
        if expected is not None and expected != self.backbone.fingerprint:
            raise BlindspotsError(
                f"The RA-SAE was trained on another version of {self.backbone.source}: use the "
                "weights and the preprocessing named in the RA-SAE's config.json."
            )

    def encode(self, image: Image.Image) -> ImageCodes:
        """Codes of all tokens of one RGB image: (layout.tokens, n_concepts), sparse."""
        return self.codes_of(self.backbone.preprocess(image))

    def codes_of(self, pixels: torch.Tensor) -> ImageCodes:
        """The same for an image that is preprocessed already: float32 (3, crop, crop)."""
        return self.codes_of_batch(pixels[None])[0]

    def codes_of_batch(self, pixels: torch.Tensor) -> list[ImageCodes]:
        """The same for each of several images: float32 (B, 3, crop, crop).

        On the CPU to the bit what each gives alone; on CUDA, where the network sees them at once,
        energies are within 1e-5 of it.
        """
        tokens = self.backbone.tokens(pixels)
        codes = self.sae.encode_images(tokens)
        return [self._of_image(*image) for image in zip(tokens, codes, strict=True)]

    def _of_image(self, tokens: torch.Tensor, codes: SparseCodes) -> ImageCodes:
        own, look = tokens.cpu().numpy(), None
        if self.domain is not None:
            patches = self.backbone.layout.patches
            decoded = self.sae.decode(codes)[patches].cpu().numpy()
            of_patches = codes.rows(patches.start, patches.stop)
            look = self.domain.look(own[patches], decoded, of_patches)
        return ImageCodes(
            codes.indptr,
            codes.concepts,
            codes.values,
            codes.n_concepts,
            token_features(own, self.backbone.layout),
            look,
        )

    def to(self, device: str) -> ConceptSpace:
        """This space with its weights on `device`."""
        network = self.backbone.network.to(device)
        backbone = replace(self.backbone, network=network, device=torch.device(device))
        return ConceptSpace(backbone, self.sae.to(device), self.domain)

    @cached_property  # hashes the RA-SAE's weights
    def description(self) -> dict[str, Any]:
        """The manifest's `concept_space`: everything that codes depend on, as JSON."""
        layout = self.backbone.layout
        return {
            "backbone": {
                "source": str(self.sae.config.backbone),
                "revision": self.sae.config.backbone_revision,
                "fingerprint": self.backbone.fingerprint,
            },
            "preprocessing": self.backbone.preprocessing.to_config(),
            "layout": {
                "cls": layout.cls,
                "registers": layout.registers,
                "grid": list(layout.grid),
            },
            "sae": {"fingerprint": self.sae.fingerprint, "sparsity": self.sae.config.sparsity},
            "n_concepts": self.sae.config.n_concepts,
        }

    @property
    def kept_as(self) -> str:
        """Identity of what is kept of an image: the codes' space, and the domain's if known."""
        return self.fingerprint + (self.domain.fingerprint if self.domain else "")

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 of `description`."""
        return fingerprint(self.description)
