"""`generate`, `evaluate`: from a model to its images, and to a bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from blindspots_hub.commands.hub import tell_published
from blindspots_hub.commands.model_options import (
    MODEL,
    AllCaptionsOption,
    PairsFromOption,
    SeedOption,
    SeedsOption,
    draws,
)
from blindspots_hub.commands.options import (
    BundleOption,
    DeviceOption,
    QuietOption,
    TokensOption,
    open_bundle,
    share,
    tell,
)
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
from blindspots_hub.commands.publishing import PrivateOption, PushOption, publish, publishing_to


@draws
def generate(
    model: Annotated[str, typer.Argument(help=MODEL)],
    out: Annotated[Path, typer.Option("--out", help="Folder that the images are written to.")],
    pairs: Annotated[int, typer.Option(min=2, help="How many captions are drawn.")] = 200,
    seed: SeedOption = 0,
    pairs_from: PairsFromOption = None,
    num_images_per_prompt: SeedsOption = 1,
    all_captions: AllCaptionsOption = False,
    image_column: ImageColumnOption = None,
    caption_column: CaptionColumnOption = None,
    split: SplitOption = None,
    config: ConfigOption = None,
    images: ImagesOption = None,
    skipped: SkippedOption = None,
    ignore_robots_txt: IgnoreRobotsOption = False,
    quality: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="WebP files of this quality, 1 to 100. Default: lossless PNG files."),
    ] = None,
    bundle: BundleOption = None,
    device: DeviceOption = None,
    quiet: QuietOption = False,
    **drawing: Any,
) -> None:
    """Draw captions with MODEL and keep the images, which `evaluate --generations` measures.

    Stopped (Ctrl-C) and run again with the same arguments, it goes on where it was. On several
    GPUs: accelerate launch --multi_gpu -m blindspots_hub generate …
    """
    from blindspots_hub.artifacts.layout import PAIRS_PART
    from blindspots_hub.runs.generate import generate

    work = generate.stream(
        model,
        out,
        pairs=pairs,
        seed=seed,
        num_images_per_prompt=num_images_per_prompt,
        bundle=open_bundle(bundle, () if pairs_from else (PAIRS_PART,), quiet),
        pairs_from=pairs_from,
        device=device,
        **drawing,
        all_captions=all_captions,
        source_options=source_options(
            image_column, caption_column, split, config, images, ignore_robots_txt
        ),
        skipped_to=skipped,
        quality=quality,
    )
    if store := share(work, quiet):
        plan, failed = store.plan, store.failed
        drawn = len(plan.names) - failed
        typer.echo(f"{drawn:,} images of {len(plan.captions):,} captions are in {out}.")
        if failed:
            typer.echo(f"{failed:,} could not be drawn: run the same command to try them again.")
        again = f"evaluate --generations {shlex.quote(str(out))} --out DIR"
        typer.echo(f"Measure them: python -m blindspots_hub {again}")


@draws
def evaluate(
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help=f"{MODEL} Left out with --generations."),
    ] = None,
    pairs: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=2, help="How many captions are drawn (200), or all of --generations."),
    ] = None,
    seed: SeedOption = 0,
    pairs_from: PairsFromOption = None,
    generations: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Images that `generate` or another evaluation left: no model is loaded."),
    ] = None,
    num_images_per_prompt: SeedsOption = 1,
    all_captions: AllCaptionsOption = False,
    image_column: ImageColumnOption = None,
    caption_column: CaptionColumnOption = None,
    split: SplitOption = None,
    config: ConfigOption = None,
    images: ImagesOption = None,
    skipped: SkippedOption = None,
    ignore_robots_txt: IgnoreRobotsOption = False,
    embed_images: Annotated[
        bool, typer.Option(help="Let the bundle's own table hold the generated images, too.")
    ] = True,
    natural_codes: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            help="Folder that keeps what natural images were measured to, for every evaluation on "
            "the same images: a series of checkpoints measures them once."
        ),
    ] = None,
    bundle: BundleOption = None,
    device: DeviceOption = None,
    tokens: TokensOption = "patches",
    push: PushOption = None,
    private: PrivateOption = False,
    quiet: QuietOption = False,
    **drawing: Any,
) -> None:
    """Draw captions with MODEL and tell which concepts it suppresses or exaggerates.

    Stopped (Ctrl-C) and run again with the same arguments, it goes on where it was. On several
    GPUs: accelerate launch --multi_gpu -m blindspots_hub evaluate …
    """
    from blindspots_hub.artifacts.layout import BACKBONE, PAIRS_PART, SAE
    from blindspots_hub.measure.table import MeasureSettings
    from blindspots_hub.runs.evaluate import evaluate

    reference = publishing_to(push)
    needed = (SAE, BACKBONE) if pairs_from else (SAE, BACKBONE, PAIRS_PART)
    work = evaluate.stream(
        model,
        out,
        pairs=pairs,
        seed=seed,
        num_images_per_prompt=num_images_per_prompt,
        bundle=open_bundle(bundle, needed, quiet),
        pairs_from=pairs_from,
        generations=generations,
        device=device,
        settings=MeasureSettings(tokens=tokens),
        **drawing,
        all_captions=all_captions,
        source_options=source_options(
            image_column, caption_column, split, config, images, ignore_robots_txt
        ),
        skipped_to=skipped,
        embed_images=embed_images,
        natural_codes=natural_codes,
        previews=False,
    )
    bundle_made = share(work, quiet)
    tell(bundle_made)
    if published := publish(bundle_made, reference, private, quiet):
        tell_published(published)
