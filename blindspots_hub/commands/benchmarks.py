"""`benchmark sae`, `measure`, `analyses`, `page` and `size`: what this machine reaches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from blindspots_hub.commands.options import QuietOption, run

if TYPE_CHECKING:
    from blindspots_hub.benchmarks.harness import Report

_WORLD = 11
"""World whose images the quality rows train on: none that another benchmark measures."""

ReportOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="JSON file for the report."),
]


def benchmark_sae(
    quick: Annotated[
        bool, typer.Option(help="Small shapes in two minutes; speed and quality are not judged.")
    ] = False,
    repeats: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Rounds of every timing, of which the median counts."),
    ] = None,
    cache: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for overcomplete's environment. Default: the user's cache."),
    ] = None,
    out: ReportOption = None,
    quiet: QuietOption = False,
) -> None:
    """Measure training and encoding against overcomplete and against the floor of their GEMMs.

    overcomplete is installed into an environment of its own; where it cannot be, the rows say so.
    Exits with 1 where a criterion that could be measured does not hold.
    """
    from dataclasses import replace

    from blindspots_hub.benchmarks import sae
    from blindspots_hub.benchmarks.overcomplete import default_cache
    from blindspots_hub.planted.tokens import planted_tokens

    sizes = sae.QUICK if quick else sae.FULL
    if repeats is not None:
        sizes = replace(sizes, repeats=repeats)
    work = sae.running(
        sizes, cache or default_cache(), lambda images: planted_tokens(images, _WORLD)
    )
    _tell(run(work, quiet), out)


def benchmark_measure(
    quick: Annotated[
        bool, typer.Option(help="Small shapes in a minute; speed and memory are not judged.")
    ] = False,
    images: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=2, help="Images of each side that go from tokens to tables. Default: 1,000."
        ),
    ] = None,
    out: ReportOption = None,
    quiet: QuietOption = False,
) -> None:
    """Measure everything after generation against the authors' way, and against its own floor.

    Weights are random and of the published model's shape; the authors' way is written anew and
    gives the same results. Takes a quarter of an hour and 11 GB of memory, and exits with 1 where
    a criterion that could be measured does not hold.
    """
    from dataclasses import replace

    from blindspots_hub.benchmarks import measure

    sizes = measure.QUICK if quick else measure.FULL
    if images is not None:
        sizes = replace(sizes, pairs=images)
    _tell(run(measure.running(sizes), quiet), out)


def benchmark_fetch(
    quick: Annotated[
        bool, typer.Option(help="400 small images in seconds; speed and memory are not judged.")
    ] = False,
    out: ReportOption = None,
    quiet: QuietOption = False,
) -> None:
    """Images a second, fetched on loopback and decoded, and memory over 20,000 addresses.

    Exits with 1 where a criterion does not hold.
    """
    from blindspots_hub.benchmarks import fetch

    _tell(run(fetch.running(fetch.QUICK if quick else fetch.FULL), quiet), out)


def _tell(report: Report, out: Path | None) -> None:
    """Show the report, write it to `out`, and end with 1 where a judged criterion was missed."""
    from blindspots_hub.utils.files import write_json

    typer.echo(report.text())
    if out is not None:
        write_json(out, report.to_json())
    if not report.held:
        raise typer.Exit(1)


def benchmark_analyses(
    names: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(help="Analyses by name. Default: all of them."),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Small shapes, on which nothing is judged.")] = False,
    out: ReportOption = None,
    quiet: QuietOption = False,
) -> None:
    """Time and memory of every analysis: 32,000 concepts, 10,000 pairs, five synthetic models.

    Exits with 1 where one takes more than a minute or 4 GiB.
    """
    from blindspots_hub.benchmarks import analyses

    sizes = analyses.QUICK if quick else analyses.FULL
    _tell(run(analyses.running(sizes, names or ()), quiet), out)


def benchmark_page(
    bundle: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder of a bundle to serve. Default: a synthetic one is made."),
    ] = None,
    quick: Annotated[
        bool, typer.Option(help="A small bundle, on which nothing is judged.")
    ] = False,
    concepts: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=600, help="Concepts of the synthetic one. Goals are of 32,000."),
    ] = None,
    pairs: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=200, help="Its pairs. Goals are of 10,000."),
    ] = None,
    chromium: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The browser. Default: the Chromium on the PATH."),
    ] = None,
    users: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Visitors at once. Default: 50."),
    ] = None,
    seconds: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=1, help="How long they stay. Default: 60."),
    ] = None,
    out: ReportOption = None,
    quiet: QuietOption = False,
) -> None:
    """How quick the page is on 32,000 concepts, 10,000 pairs and five models, in a real browser.

    Needs playwright (the dev extra) and a Chromium; takes four minutes, and exits with 1 where a
    goal is missed. At other sizes nothing is judged.
    """
    from dataclasses import replace

    from blindspots_hub import planted
    from blindspots_hub.benchmarks import page

    sizes = page.QUICK if quick else page.FULL
    sizes = replace(sizes, users=users or sizes.users, seconds=seconds or sizes.seconds)
    if concepts or pairs:
        n_concepts, some = concepts or sizes.n_concepts, pairs or sizes.pairs
        sizes = replace(sizes, n_concepts=n_concepts, pairs=some, judged=False)
    work = page.running(sizes, page.find_chromium(chromium), planted.BUNDLE, bundle)
    _tell(run(work, quiet), out)


def benchmark_size(
    parts: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            help="tables, nearest, thumbnails, checkpoints, start. Default: all of them."
        ),
    ] = None,
    pairs: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=64, help="Pairs from kept codes to a bundle. Default: 100,000."),
    ] = None,
    concepts: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            min=64, help="Concepts of every part. Default, and what goals are of: 32,000."
        ),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Small shapes, on which nothing is judged.")] = False,
    out: ReportOption = None,
    quiet: QuietOption = False,
) -> None:
    """What 100,000 pairs, 128,000 concepts and 100 checkpoints cost, and how quick a page starts.

    Each part is measured in a process of its own. Takes half an hour and 12 GB of disk, and exits
    with 1 where a goal is missed.
    """
    from dataclasses import replace

    from blindspots_hub import planted
    from blindspots_hub.benchmarks import size
    from blindspots_hub.errors import BlindspotsError

    chosen = tuple(parts or size.PARTS)
    if strange := sorted({*chosen} - {*size.PARTS}):
        raise BlindspotsError(f"There is no part {strange[0]!r}: name {', '.join(size.PARTS)}.")
    sizes = size.QUICK if quick else size.FULL
    if pairs is not None:
        sizes = replace(sizes, pairs=pairs, fewer=min(sizes.fewer, max(pairs // 8, 32)))
    if concepts is not None:
        more = max(sizes.more_concepts, concepts)
        sizes = replace(sizes, n_concepts=concepts, more_concepts=more)
    _tell(run(size.running(sizes, planted.BUNDLE, chosen), quiet), out)
