"""`import-published`: the authors' weights as one safe file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import QuietOption, run


def import_published(
    source: Annotated[
        str,
        typer.Argument(
            help="The published .pth, a folder that holds it, or a Hub id such as "
            "matybohacek/RA-SAE-DINOv2-32k."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for config.json, weights and card.")],
    threshold: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            help="Least value of a code that is kept. Default: running_threshold of the "
            "config.json beside the file, or the published one where it is the published file."
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(help="float32, or float16 for half the size.")] = "float32",
    revision: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Commit of the Hub id. Default: the one this project was tested with."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Read the authors' pickled RA-SAE without running it, and write it as one safe file.

    Stopped (Ctrl-C) and run again with the same arguments, it goes on where it was.
    """
    from blindspots_hub.runs.import_published import import_published

    work = import_published.stream(
        source, out, threshold=threshold, weights_dtype=dtype, revision=revision
    )
    done = run(work, quiet)
    config = done.config
    verified = "the published file" if done.is_published else "not the published file"
    typer.echo(
        f"{out}: {config.n_concepts:,} concepts of width {config.d}, threshold "
        f"{config.threshold:g} ({config.threshold_origin}); sha256 {done.sha256}, {verified}."
    )
