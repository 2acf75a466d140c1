"""`sample-laion`, `link-rot`: captioned images from the web."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import QuietOption, run
from blindspots_hub.commands.pairs_options import IgnoreRobotsOption


def sample_laion(
    out: Annotated[Path, typer.Option("--out", help="Folder that the pairs are written to.")],
    pairs: Annotated[int, typer.Option(min=1, help="Valid pairs.")] = 10_000,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="A Hub data set org/name[@revision], or a .parquet, .csv, .tsv or .jsonl file of "
            "captions and addresses.",
        ),
    ] = "laion/relaion2B-en-research-safe",
    seed: Annotated[int, typer.Option(help="Fixes which rows are tried, and their order.")] = 0,
    caption_column: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Column of the captions. Default: caption, text, prompt or top_caption."),
    ] = None,
    url_column: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Column of the addresses. Default: url or image_url."),
    ] = None,
    max_unsafe: Annotated[
        float, typer.Option(help="Largest score of unsafe content, 0 to 1; 1 leaves nothing out.")
    ] = 0.5,
    max_watermark: Annotated[
        float, typer.Option(help="Largest score of a watermark, 0 to 1; 1 leaves nothing out.")
    ] = 0.8,
    connections: Annotated[int, typer.Option(min=1, max=1024, help="Connections at once.")] = 64,
    ignore_robots_txt: IgnoreRobotsOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw caption-image pairs whose addresses answer, from LAION or any table like it.

    Images whose site opts out (X-Robots-Tag: noai, noimageai; robots.txt) are left out. Stopped
    (Ctrl-C) and run again with the same arguments, it goes on where it was.
    """
    from blindspots_hub.data.fetching.limits import FetchLimits
    from blindspots_hub.data.fetching.many import Web
    from blindspots_hub.data.sampling.columns import Safety
    from blindspots_hub.runs.sample import sample

    work = sample.stream(
        out,
        pairs,
        source=source,
        seed=seed,
        safety=Safety(max_unsafe, max_watermark),
        caption_column=caption_column,
        url_column=url_column,
        web=Web(
            FetchLimits(
                connections=connections,
                in_flight=3 * connections,
                robots_txt=not ignore_robots_txt,
            )
        ),
    )
    found = run(work, quiet)
    typer.echo(f"{found.pairs:,} pairs are in {out}; left out: {found.left_out}.")
    for what, count in found.mismatches.items():
        typer.echo(f"{count:,} of them have another {what} than the table recorded.")
    again = f"--pairs-from {shlex.quote(str(out))}"
    typer.echo(f"Evaluate on them: python -m blindspots_hub evaluate MODEL {again} --out DIR")


def link_rot(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `sample-laion` wrote.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", help="Table to write. Default: link_rot.parquet in DIR."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Ask a sample's addresses again: which still give the same image, another, or none."""
    from blindspots_hub.runs.sample import link_rot

    found = run(link_rot.stream(folder, out), quiet, resumes=False)
    typer.echo(str(found))
    typer.echo(f"Every address: {found.path}")
