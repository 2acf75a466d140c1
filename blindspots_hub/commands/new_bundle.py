"""`new-bundle`: the first bundle of an RA-SAE."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.model_options import SOURCES, AllCaptionsOption
from blindspots_hub.commands.options import DeviceOption, QuietOption, TokensOption, share
from blindspots_hub.commands.pairs_options import (
    CaptionColumnOption,
    ConfigOption,
    IgnoreRobotsOption,
    ImageColumnOption,
    ImagesOption,
    SkippedOption,
    SplitOption,
    source_options,
)


def new_bundle(
    sae: Annotated[str, typer.Argument(help="RA-SAE: a folder or a Hub id.")],
    pairs_from: Annotated[
        str, typer.Option("--pairs-from", help=f"Captions with natural images: {SOURCES}")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    pairs: Annotated[int, typer.Option(min=2, help="How many natural images are measured.")] = 1000,
    seed: Annotated[int, typer.Option(help="Chooses them.")] = 0,
    all_captions: AllCaptionsOption = False,
    image_column: ImageColumnOption = None,
    caption_column: CaptionColumnOption = None,
    split: SplitOption = None,
    config: ConfigOption = None,
    images_in: ImagesOption = None,
    skipped_to: SkippedOption = None,
    ignore_robots_txt: IgnoreRobotsOption = False,
    backbone: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="DINOv2: a folder or a Hub id. Default: what the RA-SAE names."),
    ] = None,
    device: DeviceOption = None,
    tokens: TokensOption = "patches",
    quiet: QuietOption = False,
) -> None:
    """Make the bundle of an RA-SAE's concepts, with natural images, that models are evaluated on.

    Stopped (Ctrl-C) and run again with the same arguments, it goes on where it was. On several
    GPUs: accelerate launch --multi_gpu -m blindspots_hub new-bundle …
    """
    from blindspots_hub.analysis.summary import skipped_words
    from blindspots_hub.measure.settings import MeasureSettings
    from blindspots_hub.runs.new_bundle import new_bundle as run

    work = run.stream(
        sae,
        pairs_from,
        out,
        pairs=pairs,
        seed=seed,
        all_captions=all_captions,
        source_options=source_options(
            image_column, caption_column, split, config, images_in, ignore_robots_txt
        ),
        skipped_to=skipped_to,
        backbone=backbone,
        device=device,
        settings=MeasureSettings(tokens=tokens),
    )
    bundle = share(work, quiet)
    if bundle is None:
        return
    images = len(bundle.image_ids("natural"))
    seen = sum(count > 0 for count in bundle.concepts["images"].to_pylist())
    typer.echo(f"{seen:,} of {bundle.n_concepts:,} concepts fire in {images:,} natural images.")
    if skipped := skipped_words(bundle):
        typer.echo(f"Left out: {skipped}.")
    made = shlex.quote(str(out))
    typer.echo(
        f"Evaluate a model on it: python -m blindspots_hub evaluate MODEL --bundle {made} --out DIR"
    )
