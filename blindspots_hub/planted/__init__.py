"""The planted world: a small world whose blindspots are known, and its benchmark.

Nothing outside this package knows that it is a toy: it runs through the code that real models run
through. This file imports no network, so that the app can name its models at once.
"""

from __future__ import annotations

from pathlib import Path

BUNDLE = Path(__file__).parent / "bundle"
"""The embedded bundle: what the app shows when nothing else is named."""

MODEL_FOLDER = Path(__file__).parent / "models"
"""The planted models as diffusers folders."""

UNLABELLED = Path(__file__).parent / "unlabelled"
"""The concept space whose backbone never saw a label: backbone/ and sae/, for the benchmark."""

POPULATIONS = Path(__file__).parent / "populations"
"""Sums over 100,000 scenes through both concept spaces, which claims are held against."""

TITLES = {
    "alder-1": "Alder 1",
    "alder-1-tuned": "Alder 1, tuned",
    "alder-2": "Alder 2",
    "cedar": "Cedar",
    "willow": "Willow",
}
"""The planted models of the embedded bundle by name; `planted/NAME` evaluates one."""

BESIDE = {"rowan": "Rowan, another renderer"}
"""Planted models that the bundle does not hold: `planted/NAME` evaluates them too."""


def register() -> None:
    """Make `planted/NAME` known as models, and their pipeline class loadable."""
    from blindspots_hub.artifacts.licences import OWN
    from blindspots_hub.generation.models import KnownModel, register, register_pipeline_class
    from blindspots_hub.planted.pipelines import PlantedPipeline

    register_pipeline_class(PlantedPipeline)
    for name, title in {**TITLES, **BESIDE}.items():
        variant_of = "alder-1" if name == "alder-1-tuned" else None
        source = str(MODEL_FOLDER / name)
        model = KnownModel(name, source, title, variant_of=variant_of, licence=OWN)
        register(model, under="planted")
