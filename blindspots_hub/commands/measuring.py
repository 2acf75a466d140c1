"""`measure`, `validate`: from folders of images to a bundle, and whether one is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindspots_hub.commands.options import (
    BundleOption,
    DeviceOption,
    QuietOption,
    TokensOption,
    open_bundle,
    share,
    tell,
)


def measure(
    natural: Annotated[Path, typer.Argument(help="Folder of natural images.")],
    generated: Annotated[Path, typer.Argument(help="Folder of generated images.")],
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    bundle: BundleOption = None,
    device: DeviceOption = None,
    tokens: TokensOption = "patches",
    quiet: QuietOption = False,
) -> None:
    """Compare two folders of your own images, without any text-to-image model.

    Images whose file names agree but for the ending are pairs; otherwise the sets are compared
    unpaired. On several GPUs: accelerate launch --multi_gpu -m blindspots_hub measure …
    """
    from blindspots_hub.artifacts.layout import BACKBONE, SAE
    from blindspots_hub.measure.table import MeasureSettings
    from blindspots_hub.runs.folders import measure_folders

    work = measure_folders.stream(
        natural,
        generated,
        out,
        bundle=open_bundle(bundle, (SAE, BACKBONE), quiet),
        device=device,
        settings=MeasureSettings(tokens=tokens),
    )
    tell(share(work, quiet))


def validate(folder: Annotated[Path, typer.Argument(help="A bundle.")]) -> None:
    """Check a bundle and list everything that is wrong with it; exits with 1 if anything is."""
    from blindspots_hub.artifacts.validate import faults

    found = faults(folder, strict=True)
    for fault in found:
        typer.echo(fault)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{folder} is a whole bundle.")
