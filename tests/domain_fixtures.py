"""Images of several kinds, and two small concept spaces that each know one kind."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.domain_fit import fitting_domain
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.concepts.training.train import TrainConfig, train_on_tokens
from blindspots_hub.planted.dice import derive
from blindspots_hub.planted.draw import draw
from blindspots_hub.planted.scene import FLATTENED, NATURAL, sample_scene
from blindspots_hub.planted.training import TRAINING_WORLD
from blindspots_hub.progress import drive

SIDE = 224


def textures(count: int, seed: int) -> list[Image.Image]:
    """Photograph-like: colours of a 1/f^a spectrum, a from 0.8 to 1.6, under a shading."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = 1 / SIDE
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    images = []
    for _ in range(count):
        falling = frequency ** rng.uniform(0.8, 1.6)
        spectrum = np.fft.fft2(rng.normal(size=(SIDE, SIDE, 3)), axes=(0, 1)) / falling[..., None]
        flat = np.fft.ifft2(spectrum, axes=(0, 1)).real @ (0.5 + rng.normal(0, 0.3, (3, 3)))
        slope = rng.normal(size=2) @ np.stack([rows, columns]).reshape(2, -1)
        flat = 128 + 40 * (flat - flat.mean()) / flat.std() + 40 * slope.reshape(SIDE, SIDE, 1)
        images.append(Image.fromarray(np.clip(flat, 0, 255).astype(np.uint8)))
    return images


def photographs(count: int, seed: int) -> list[Image.Image]:
    """Crops of the two photographs that scikit-learn carries."""
    from sklearn.datasets import load_sample_images

    rng, images = np.random.default_rng(seed), []
    found = load_sample_images().images
    for _ in range(count):
        whole, side = found[rng.integers(2)], int(rng.integers(150, 400))
        y, x = (int(rng.integers(size - side)) for size in whole.shape[:2])
        images.append(Image.fromarray(whole[y : y + side, x : x + side]).resize((SIDE, SIDE)))
    return images


def blanks(count: int, seed: int) -> list[Image.Image]:
    rng = np.random.default_rng(seed)
    return [Image.new("RGB", (SIDE, SIDE), tuple(rng.integers(180, 256, 3))) for _ in range(count)]


def noise(count: int, seed: int) -> list[Image.Image]:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    return [Image.fromarray(one) for one in pixels]


def drawings(count: int, world: int, salt: str = "sae") -> list[Image.Image]:
    """Scenes of the planted world, every second with a lifted tail: as its RA-SAE was trained."""
    priors = (NATURAL, FLATTENED)
    return [draw(sample_scene(derive(world, i, salt), priors[i % 2])) for i in range(count)]


@lru_cache(maxsize=1)
def backbone() -> Backbone:
    return Backbone.load(planted.BUNDLE / "backbone")


def tokens_of(images: list[Image.Image]) -> np.ndarray:
    pixels = torch.stack([backbone().preprocess(image) for image in images])
    return backbone().tokens(pixels).numpy()


def looks(space: ConceptSpace, images: list[Image.Image]) -> np.ndarray:
    pixels = torch.stack([backbone().preprocess(image) for image in images])
    return np.stack([codes.look for codes in space.codes_of_batch(pixels)])


@lru_cache(maxsize=1)
def planted_space() -> ConceptSpace:
    """The embedded space, knowing 256 of the images that it was trained on."""
    sae = RASAE.from_pretrained(planted.BUNDLE / "sae")
    tokens = tokens_of(drawings(256, TRAINING_WORLD))
    layout = backbone().layout
    domain = drive(fitting_domain(sae, layout, len(tokens), tokens.__getitem__, "training"))
    return ConceptSpace(backbone(), sae, domain)


@lru_cache(maxsize=1)
def photographic_space() -> ConceptSpace:
    """A small space on the same tokens' width, trained on textures alone."""
    tokens = tokens_of(textures(120, seed=1))
    config = TrainConfig(
        n_concepts=64, n_centroids=64, k=4, steps=150, batch=1024, peak_rate=5e-3,
        backbone="planted/backbone", backbone_fingerprint=backbone().fingerprint,
    )  # fmt: skip
    sae = drive(train_on_tokens(tokens.reshape(-1, tokens.shape[2]), config, seed=0))
    layout = backbone().layout
    domain = drive(fitting_domain(sae, layout, len(tokens), tokens.__getitem__, "training"))
    return ConceptSpace(backbone(), sae, domain)
