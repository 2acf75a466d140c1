from __future__ import annotations

import pytest
import torch

from blindspots_hub.concepts import one_image
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.concepts.one_image import for_one_image, has_packed_products

CROP = 28
LAYOUT = TokenLayout(cls=1, registers=4, grid=(4, 4))


def networks(**settings):
    """DINOv2s that were trained on larger images, so that positions are interpolated."""
    from transformers import (
        Dinov2Config,
        Dinov2Model,
        Dinov2WithRegistersConfig,
        Dinov2WithRegistersModel,
    )

    shape = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 49,
        "patch_size": 7,
        **settings,
    }
    torch.manual_seed(0)
    with_registers = Dinov2WithRegistersConfig(**shape, num_register_tokens=4)
    yield Dinov2WithRegistersModel(with_registers).eval().requires_grad_(False), LAYOUT
    without = TokenLayout(cls=1, registers=0, grid=(4, 4))
    yield Dinov2Model(Dinov2Config(**shape)).eval().requires_grad_(False), without


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("feed_forward", [{}, {"use_swiglu_ffn": True}])
def test_an_image_gives_what_the_network_gives(monkeypatch, packing, feed_forward):
    if not packing:
        monkeypatch.setattr(one_image, "has_packed_products", lambda: False)
    pixels = torch.randn(1, 3, CROP, CROP, generator=torch.Generator().manual_seed(1))
    for network, layout in networks(**feed_forward):
        ready = for_one_image(network, layout, CROP)
        found = ready(pixel_values=pixels).last_hidden_state
        expected = network(pixel_values=pixels).last_hidden_state
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)


def test_positions_are_interpolated_once(monkeypatch):
    for network, layout in networks():
        ready = for_one_image(network, layout, CROP)

        def anew(*_: object, **__: object) -> None:
            raise AssertionError("interpolated again")

        monkeypatch.setattr(torch.nn.functional, "interpolate", anew)
        ready(pixel_values=torch.zeros(1, 3, CROP, CROP))
        with pytest.raises(AssertionError, match="interpolated again"):
            network(pixel_values=torch.zeros(1, 3, CROP, CROP))
        monkeypatch.undo()


def test_parameters_are_shared_and_the_network_stays_as_it_was():
    for network, layout in networks():
        before = {name: value.clone() for name, value in network.state_dict().items()}
        ready = for_one_image(network, layout, CROP)
        for name, value in network.state_dict().items():
            assert torch.equal(value, before[name])
        mine = dict(network.named_parameters())
        theirs = dict(ready.named_parameters())
        assert mine.keys() == theirs.keys()
        differing = {name for name in mine if mine[name].data_ptr() != theirs[name].data_ptr()}
        assert differing == {"embeddings.position_embeddings"}


def test_every_product_has_its_weight_laid_out():
    assert has_packed_products() == torch.backends.mkl.is_available()
    for network, layout in networks():
        linear = sum(isinstance(module, torch.nn.Linear) for module in network.modules())
        left = sum(
            isinstance(module, torch.nn.Linear)
            for module in for_one_image(network, layout, CROP).modules()
        )
        assert linear > 0
        assert left == (0 if has_packed_products() else linear)
