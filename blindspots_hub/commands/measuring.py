"""`generate`, `evaluate`, `measure`, `validate`: from a model or folders of images to a bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Optional

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
from blindspots_hub.commands.pairs_options import (
    CaptionColumnOption,
    ConfigOption,
    ImageColumnOption,
    ImagesOption,
    SkippedOption,
    SplitOption,
    source_options,
)

_MODEL = "planted/NAME, a known name such as sd15, a diffusers folder, or org/name[@rev]."

SeedOption = Annotated[int, typer.Option(help="Chooses the captions and each image's noise.")]
PairsFromOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--pairs-from",
        help="Captions and natural images from elsewhere: a bundle, a folder of captioned images "
        "or a zip of one, a table (of addresses too), a webdataset's tar, COCO's captions, a Hub "
        "dataset.",
    ),
]
SeedsOption = Annotated[
    int,
    typer.Option(
        "--num-images-per-prompt",
        "--seeds",
        min=1,
        help="How many times each caption is drawn: tells the sampler's noise from the model.",
    ),
]
StepsOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        "--num-inference-steps", "--steps", help="Denoising steps, instead of the pipeline's own."
    ),
]
GuidanceOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--guidance-scale",
        "--guidance",
        help="Classifier-free guidance scale, instead of the pipeline's own.",
    ),
]
SizeOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(help="Side of the images in pixels, instead of the model's usual one."),
]
DtypeOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        help="float32, float16 or bfloat16. Default: on CUDA the weights' own, elsewhere float32."
    ),
]
AllCaptionsOption = Annotated[
    bool,
    typer.Option(
        "--all-captions",
        help="Of images with a list of captions take every one, instead of one chosen by --seed.",
    ),
]
BatchOption = Annotated[
    int, typer.Option("--batch-size", "--batch", min=1, help="Captions drawn at once, on a GPU.")
]


def generate(
    model: Annotated[str, typer.Argument(help=_MODEL)],
    out: Annotated[Path, typer.Option("--out", help="Folder that the images are written to.")],
    pairs: Annotated[int, typer.Option(min=2, help="How many captions are drawn.")] = 200,
    seed: SeedOption = 0,
    pairs_from: PairsFromOption = None,
    num_images_per_prompt: SeedsOption = 1,
    num_inference_steps: StepsOption = None,
    guidance_scale: GuidanceOption = None,
    size: SizeOption = None,
    dtype: DtypeOption = None,
    batch_size: BatchOption = 1,
    all_captions: AllCaptionsOption = False,
    image_column: ImageColumnOption = None,
    caption_column: CaptionColumnOption = None,
    split: SplitOption = None,
    config: ConfigOption = None,
    images: ImagesOption = None,
    skipped: SkippedOption = None,
    quality: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="WebP files of this quality, 1 to 100. Default: lossless PNG files."),
    ] = None,
    bundle: BundleOption = None,
    device: DeviceOption = None,
    quiet: QuietOption = False,
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
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        height=size,
        width=size,
        dtype=dtype,  # type: ignore[arg-type]  # GenerationSettings refuses what it does not know
        batch_size=batch_size,
        all_captions=all_captions,
        source_options=source_options(image_column, caption_column, split, config, images),
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


def evaluate(
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help=f"{_MODEL} Left out with --generations."),
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
    num_inference_steps: StepsOption = None,
    guidance_scale: GuidanceOption = None,
    size: SizeOption = None,
    dtype: DtypeOption = None,
    batch_size: BatchOption = 1,
    all_captions: AllCaptionsOption = False,
    image_column: ImageColumnOption = None,
    caption_column: CaptionColumnOption = None,
    split: SplitOption = None,
    config: ConfigOption = None,
    images: ImagesOption = None,
    skipped: SkippedOption = None,
    embed_images: Annotated[
        bool, typer.Option(help="Let the bundle's own table hold the generated images, too.")
    ] = True,
    bundle: BundleOption = None,
    device: DeviceOption = None,
    tokens: TokensOption = "patches",
    quiet: QuietOption = False,
) -> None:
    """Draw captions with MODEL and tell which concepts it suppresses or exaggerates.

    Stopped (Ctrl-C) and run again with the same arguments, it goes on where it was. On several
    GPUs: accelerate launch --multi_gpu -m blindspots_hub evaluate …
    """
    from blindspots_hub.artifacts.layout import BACKBONE, PAIRS_PART, SAE
    from blindspots_hub.measure.table import MeasureSettings
    from blindspots_hub.runs.evaluate import evaluate

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
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        height=size,
        width=size,
        dtype=dtype,  # type: ignore[arg-type]  # GenerationSettings refuses what it does not know
        batch_size=batch_size,
        all_captions=all_captions,
        source_options=source_options(image_column, caption_column, split, config, images),
        skipped_to=skipped,
        embed_images=embed_images,
        previews=False,
    )
    tell(share(work, quiet))


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
