"""Where memory runs out: batches are halved down to one, then one clear sentence."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, TextToImage
from blindspots_hub.runs import gpu_work
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.session import open_space
from blindspots_hub.utils.memory import AdaptiveBatch

NO_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
)


@given(st.integers(0, 40), st.integers(1, 64), st.integers(1, 64), st.sampled_from(NO_MEMORY))
def test_all_is_done_in_order_whatever_fits(
    count: int, at_once: int, fits: int, error: Exception
) -> None:
    sizes: list[int] = []

    def work(part: list[int]) -> list[int]:
        if len(part) > fits:
            raise error
        sizes.append(len(part))
        return [thing * thing for thing in part]

    fitting = AdaptiveBatch(at_once, "Not one fits.")
    for _ in range(2):
        assert fitting.map(range(count), work) == [i * i for i in range(count)]
    assert all(size <= min(at_once, fits) for size in sizes)
    # Halved: what is tried next is never less than half of what would have fitted.
    assert fitting.at_once >= min(at_once, (fits + 1) // 2)


def test_the_size_that_fitted_is_remembered() -> None:
    tried: list[int] = []

    def work(part: list[int]) -> list[int]:
        tried.append(len(part))
        if len(part) > 4:
            raise NO_MEMORY[0]
        return list(part)

    fitting = AdaptiveBatch(16, "Not one fits.")
    fitting.map(range(8), work)
    assert tried == [8, 4, 4]
    fitting.map(range(8), work)
    assert tried[3:] == [4, 4]


@pytest.mark.parametrize("error", NO_MEMORY)
def test_where_not_one_fits_a_sentence_says_so(error: Exception) -> None:
    def work(part: list[int]) -> list[int]:
        raise error

    with pytest.raises(BlindspotsError, match=r"^Not one fits\.$"):
        AdaptiveBatch(8, "Not one fits.").map(range(8), work)


def test_other_errors_stay_what_they_are() -> None:
    def work(part: list[int]) -> list[int]:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        AdaptiveBatch(8, "Not one fits.").map(range(8), work)


class Gpu:
    """A concept space on a GPU that holds `fits` images, of which those below 0 have no codes."""

    def __init__(self, fits: int) -> None:
        self.fits = fits
        self.backbone = SimpleNamespace(device=torch.device("cuda:0"))
        self.fingerprint = f"a GPU for {fits}"
        self.batches: list[int] = []

    def codes_of_batch(self, pixels: torch.Tensor) -> list[float]:
        self.batches.append(len(pixels))
        if len(pixels) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if (pixels < 0).any():
            raise BlindspotsError("Tokens hold NaN.")
        return pixels.flatten().tolist()


def test_a_gpu_encodes_in_batches_that_fit() -> None:
    gpu = Gpu(fits=10)
    pixels = [np.full(1, i, np.float32) for i in range(32)]
    assert gpu_work.encode(gpu, pixels) == [float(i) for i in range(32)]
    assert gpu.batches == [32, 16, 8, 8, 8, 8]
    gpu_work.encode(gpu, pixels[:8])
    assert gpu.batches[6:] == [8]


def test_in_a_batch_only_the_guilty_image_fails() -> None:
    gpu = Gpu(fits=64)
    pixels = [np.full(1, i, np.float32) for i in (1, -1, 3)]
    assert gpu_work.encode(gpu, pixels) == [1.0, "Tokens hold NaN.", 3.0]


def test_a_gpu_that_holds_no_image_is_told() -> None:
    with pytest.raises(BlindspotsError, match="memory of cuda:0 does not hold what one image"):
        gpu_work.encode(Gpu(fits=0), [np.zeros(1, np.float32)])


def test_drawing_ends_with_a_sentence_and_goes_on_with_more_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lack of memory is no fact about a caption: nothing is counted as undrawable for it."""
    attempt = TextToImage._attempt
    left = 25

    def scarce(self: TextToImage, pairs: list[tuple[str, str]], seed: int) -> object:
        nonlocal left
        if len(pairs) > 2 or left < len(pairs):
            return Failed("out_of_memory", "The device's memory does not hold one image.")
        left -= len(pairs)
        return attempt(self, pairs, seed)

    monkeypatch.setattr(TextToImage, "_attempt", scarce)
    out = tmp_path / "b"
    with pytest.raises(BlindspotsError, match=r"does not hold one image\. Close .* \(--size\)"):
        evaluate("planted/cedar", out, pairs=40, batch_size=8)
    assert len(list(out.rglob("*.png"))) == 25
    left = 1000
    bundle = evaluate("planted/cedar", out, pairs=40, batch_size=8)
    assert bundle.model("cedar").pairs == 40
    assert bundle.model("cedar").dropped == {}


@pytest.mark.gpu
def test_batches_on_cuda_give_the_energies_of_single_images() -> None:
    space = open_space(load_bundle(planted.BUNDLE)).to("cuda")
    crop = space.backbone.preprocessing.crop
    pixels = torch.randn(24, 3, crop, crop, generator=torch.Generator().manual_seed(0))
    together = space.codes_of_batch(pixels)
    for image, codes in zip(pixels, together, strict=True):
        alone = space.codes_of(image)
        dense = np.zeros((2, space.sae.config.n_concepts))
        for row, one in zip(dense, (alone, codes), strict=True):
            concepts, energies = one.energies()
            row[concepts] = energies
        assert np.abs(dense[0] - dense[1]).max() <= 1e-5 * max(1.0, dense[0].max())
