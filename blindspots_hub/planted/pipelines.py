"""A planted model as a diffusers pipeline: prompt and generator in, images out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput

from blindspots_hub.planted.captions import UNSTATED, parse
from blindspots_hub.planted.draw import SIZE
from blindspots_hub.planted.faults import apply_faults, faults_from_config
from blindspots_hub.planted.rendering import rendering_from_config
from blindspots_hub.planted.scene import Scene, complete

Generators = torch.Generator | list[torch.Generator] | None


class PlantedPipeline(DiffusionPipeline):
    """Paints scenes of the planted world, with planted faults.

    An image depends on its prompt and its generator only: batches of any make-up give the same
    images when every image brings its own generator.

    Parameters
    ----------
    name: name of the planted model.
    faults: strength of each fault, `{kind: {factor: strength}}` (see `faults.Fault`).
    rendering: how its pictures differ from the world's where they show the same (`rendering.py`).

    All have defaults because diffusers takes what has none for a network.
    """

    def __init__(
        self,
        name: str = "faultless",
        faults: dict[str, dict[str, float]] | None = None,
        rendering: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.register_to_config(name=name, faults=faults or {}, rendering=rendering or {})
        self._faults = faults_from_config(faults or {})
        self._rendering = rendering_from_config(rendering or {})

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str],
        height: int = SIZE,
        width: int = SIZE,
        num_inference_steps: int = 1,
        guidance_scale: float = 1.0,
        negative_prompt: str | list[str] | None = None,
        num_images_per_prompt: int = 1,
        generator: Generators = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> ImagePipelineOutput | tuple[Any]:
        """Paint `prompt`: images in the prompts' order, `num_images_per_prompt` of each.

        `generator` is one generator, from which the images draw in turn, or a list with one for
        each image. `num_inference_steps`, `guidance_scale` and `negative_prompt` are accepted for
        the sake of callers and change nothing. `output_type` is `pil` or `np` (`(n, height, width,
        3)` float32 in [0, 1]). Wrong arguments raise `ValueError`, as in diffusers.
        """
        self.check_inputs(prompt, height, width, num_images_per_prompt, generator, output_type)
        prompts = [prompt] if isinstance(prompt, str) else prompt
        prompts = [text for text in prompts for _ in range(num_images_per_prompt)]
        sources = generator if isinstance(generator, list) else [generator] * len(prompts)
        images: Any = [
            self._rendering(self.scene_for(text, source), height)
            for text, source in zip(prompts, sources, strict=True)
        ]
        if output_type == "np":
            images = np.stack([np.asarray(image, np.float32) / 255 for image in images])
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def scene_for(self, prompt: str, generator: torch.Generator | None = None) -> Scene:
        """The scene that a call with this prompt and generator paints, without painting it.

        Takes one number from `generator` (PyTorch's default one if None), as a call does. Its
        `memorised` tells whether the image is a stored template.
        """
        device = "cpu" if generator is None else generator.device
        drawn = torch.randint(0, 2**62, (1,), generator=generator, device=device)
        seed = int(drawn.item())
        stated = parse(prompt)
        if "template" in stated:
            scene = Scene(seed=seed, template=stated["template"], copy="free")
        else:
            if stated.get("object") == "document":
                stated.setdefault("page", "printed")  # captions always tell of blank pages
            scene = complete(stated, seed, UNSTATED)
        return apply_faults(scene, self._faults, seed)

    @staticmethod
    def check_inputs(
        prompt: str | list[str],
        height: int,
        width: int,
        num_images_per_prompt: int,
        generator: Generators,
        output_type: str,
    ) -> None:
        """Raise `ValueError` for arguments that cannot be painted."""
        if not isinstance(prompt, str) and not (
            isinstance(prompt, list) and prompt and all(isinstance(text, str) for text in prompt)
        ):
            raise ValueError(f"`prompt` has to be a string or a list of strings, not {prompt!r}")
        if height != width or height % 8 or not 32 <= height <= 2048:
            raise ValueError(
                "`height` and `width` have to be equal, divisible by 8 and between 32 and 2048, "
                f"but are {height} and {width}"
            )
        if num_images_per_prompt < 1:
            raise ValueError(f"`num_images_per_prompt` is {num_images_per_prompt}: at least 1")
        count = num_images_per_prompt * (1 if isinstance(prompt, str) else len(prompt))
        if isinstance(generator, list) and len(generator) != count:
            raise ValueError(
                f"a list of {len(generator)} generators was passed for {count} images: "
                "pass one for each image"
            )
        if output_type not in ("pil", "np"):
            raise ValueError(f"`output_type` has to be 'pil' or 'np', not {output_type!r}")
