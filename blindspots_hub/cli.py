"""The command line: `python -m blindspots_hub …`, thin over the library's functions."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, TypeVar

import typer

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import TerminalProgress, Work, drive

if TYPE_CHECKING:
    from blindspots_hub.artifacts.bundle import Bundle

T = TypeVar("T")

app = typer.Typer(
    help="Find out what a text-to-image model cannot draw, and what it draws too much.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
benchmark = typer.Typer(help="Hold the method against known truth.", no_args_is_help=True)
app.add_typer(benchmark, name="benchmark")
build = typer.Typer(help="Make the embedded default anew.", no_args_is_help=True)
app.add_typer(build, name="planted")

# Optional[...] and not `| None`: typer evaluates these annotations on Python 3.10 too.
BundleOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--bundle", help="Bundle whose concepts are used. Default: the embedded one."),
]
DeviceOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--device", help="cpu, cuda, cuda:1, mps. Default: the best there is."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bars.")]
TokensOption = Annotated[
    str,
    typer.Option(help="Tokens that an energy sums: patches, or all (as the authors' code does)."),
]


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="planted/NAME, a known name such as sd15, a diffusers folder, or org/name[@rev]."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    pairs: Annotated[int, typer.Option(min=2, help="How many captions are drawn.")] = 200,
    seed: Annotated[int, typer.Option(help="Chooses the captions and each image's noise.")] = 0,
    pairs_from: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--pairs-from",
            help="Captions and natural images from elsewhere: a bundle, a folder of captioned "
            "images, a table, or a Hub dataset.",
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Captions drawn at once, on a GPU.")] = 1,
    bundle: BundleOption = None,
    device: DeviceOption = None,
    tokens: TokensOption = "patches",
    quiet: QuietOption = False,
) -> None:
    """Draw captions with MODEL and tell which concepts it suppresses or exaggerates.

    Stopped (Ctrl-C) and run again with the same arguments, it goes on where it was.
    """
    from blindspots_hub.evaluate import evaluation
    from blindspots_hub.measure.table import MeasureSettings

    work = evaluation(
        model,
        out,
        pairs=pairs,
        seed=seed,
        bundle=_bundle(bundle),
        pairs_from=pairs_from,
        device=device,
        settings=MeasureSettings(tokens=tokens),
        batch=batch,
    )
    _tell(_run(work, quiet))


@app.command()
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
    unpaired.
    """
    from blindspots_hub.folders import measuring_folders
    from blindspots_hub.measure.table import MeasureSettings

    work = measuring_folders(
        natural,
        generated,
        out,
        bundle=_bundle(bundle),
        device=device,
        settings=MeasureSettings(tokens=tokens),
    )
    _tell(_run(work, quiet))


@app.command()
def validate(folder: Annotated[Path, typer.Argument(help="A bundle.")]) -> None:
    """Check a bundle and list everything that is wrong with it; exits with 1 if anything is."""
    from blindspots_hub.artifacts.validate import faults

    found = faults(folder)
    for fault in found:
        typer.echo(fault)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{folder} is a whole bundle.")


@app.command("train-sae")
def train_sae(
    images: Annotated[Path, typer.Argument(help="Folder of training images.")],
    backbone: Annotated[str, typer.Option(help="DINOv2: a folder or a Hub id.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for config.json and weights.")],
    concepts: Annotated[int, typer.Option(help="Atoms of the dictionary.")] = 1024,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 2000,
    batch: Annotated[int, typer.Option(help="Tokens a step.")] = 4096,
    sparsity: Annotated[str, typer.Option(help="topk or batch_topk.")] = "topk",
    k: Annotated[int, typer.Option(help="Codes that a token keeps.")] = 5,
    seed: Annotated[int, typer.Option(help="Repeats a training.")] = 0,
    device: DeviceOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train an RA-SAE on the DINOv2 tokens of your own images."""
    from blindspots_hub.training import training

    work = training(
        images,
        backbone,
        out,
        n_concepts=concepts,
        steps=steps,
        batch=batch,
        sparsity=sparsity,
        k=k,
        seed=seed,
        device=device,
    )
    quality = _run(work, quiet)
    typer.echo(
        f"{out}: R² {quality['r2']:.3f}, {quality['l0']:.1f} codes a token, "
        f"{quality['dead_share']:.1%} dead concepts"
    )


@benchmark.command("planted")
def benchmark_planted(
    pairs: Annotated[int, typer.Option(min=200, help="Pairs drawn for every model.")] = 3000,
    seed: Annotated[int, typer.Option(help="Seed of the world and of every image.")] = 1,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for the report and its figures."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Measure models whose blindspots are known; exits with 1 where a criterion does not hold."""
    from blindspots_hub.planted.benchmark import running

    report = _run(running(pairs, seed, out), quiet)
    typer.echo(report.text())
    if not report.held:
        raise typer.Exit(1)


@build.command("train")
def planted_train(
    out: Annotated[Path, typer.Option("--out", help="Folder for backbone/ and sae/.")],
    quiet: QuietOption = False,
) -> None:
    """Train the planted world's small DINOv2 and its small RA-SAE, from nothing."""
    from blindspots_hub.planted.build import training

    typer.echo(_run(training(out), quiet))


@build.command("bundle")
def planted_bundle(
    trained: Annotated[Path, typer.Argument(help="Folder that `planted train` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    quiet: QuietOption = False,
) -> None:
    """Evaluate the five planted models and write the embedded bundle."""
    from blindspots_hub.planted.build import building

    _tell(_run(building(trained, out), quiet))


def _bundle(path: Path | None) -> Bundle | None:
    from blindspots_hub.artifacts.bundle import load_bundle

    return None if path is None else load_bundle(path)


def _run(work: Work[T], quiet: bool) -> T:
    with TerminalProgress(quiet) as show:
        return drive(work, show)


def _tell(bundle: Bundle) -> None:
    from blindspots_hub.analysis.summary import summary

    for name in bundle.models:
        typer.echo(summary(bundle, name))
    typer.echo(f"Look at it: python app.py --bundle {bundle.root}")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one sentence and exit code 2."""
    # Read when transformers is imported: it warns of a torchvision that nothing here needs.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        app(arguments, standalone_mode=True)
    except BlindspotsError as error:
        print(f"blindspots_hub: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to go on from here.", file=sys.stderr)
        sys.exit(130)
