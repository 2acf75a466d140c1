"""`fit-domain`: an RA-SAE that is trained already is told which images it was trained on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blindspots_hub.concepts.backbone import Backbone
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.concepts.domain_fit import IMAGES, TokensOf, fitting_domain
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.concepts.tokens.store import MANIFEST, TokenStore
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import pick_device
from blindspots_hub.progress import Work
from blindspots_hub.runs.train_sae import ORIGIN, image_tokens, training_images


def fitting(
    model: Path, source: Path, backbone: str | None = None, device: str | None = None
) -> Work[Domain]:
    """Write the domain of the RA-SAE in the folder `model` from `source`, beside its weights.

    `source` is a token store, or a folder of images, which needs the `backbone` unless the RA-SAE
    names one that can be had. Raises `BlindspotsError` for too few images, and for a backbone or
    tokens that are not the RA-SAE's.
    """
    if not model.is_dir():
        raise BlindspotsError(f"{model} is not a folder: give the folder of an RA-SAE.")
    sae = RASAE.from_pretrained(model).to(pick_device(device))
    if (source / MANIFEST).is_file():
        store = TokenStore.open(source)
        own, other = sae.config.backbone_fingerprint, store.config["backbone_fingerprint"]
        if store.width != sae.config.d or (own and own != other):
            raise BlindspotsError(
                f"{source} holds tokens of another backbone than {model} reads: give tokens of "
                f"{sae.config.backbone}."
            )
        count, layout = store.n_images, store.layout
        tokens_of: TokensOf = partial(image_tokens, store)
    else:
        paths = training_images(source)
        rows = np.linspace(0, len(paths) - 1, min(len(paths), IMAGES)).astype(int).tolist()
        chosen = [paths[row] for row in rows]
        named = backbone or sae.config.backbone
        revision = None if backbone else sae.config.backbone_revision
        network = Backbone.load(named, revision, pick_device(device))
        ConceptSpace(network, sae)  # refuses another backbone

        def of_image(image: int) -> NDArray[np.floating]:
            pixels = network.preprocess(open_image(chosen[image]))
            return network.tokens(pixels[None])[0].cpu().numpy()

        count, layout, tokens_of = len(chosen), network.layout, of_image
    domain = yield from fitting_domain(sae, layout, count, tokens_of, ORIGIN)
    domain.save(model)
    return domain
