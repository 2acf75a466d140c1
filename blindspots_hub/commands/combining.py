"""`combine`: bundles that become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindspots_hub.commands.options import QuietOption, open_bundle, run, tell


def combine(
    bundles: Annotated[
        list[str],
        typer.Argument(help="Bundles of one concept space: folders, or org/name[@version]."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder that the new bundle is written to.")],
    rename: Annotated[
        bool,
        typer.Option(
            "--rename", help="Call the second of two unlike models of one name NAME-2, and so on."
        ),
    ] = False,
    name: Annotated[str, typer.Option(help="The new bundle's name.")] = "combined",
    quiet: QuietOption = False,
) -> None:
    """Bundles of one concept space as one, with their models side by side."""
    from blindspots_hub.runs.combine import combine as combining

    opened = [found for one in bundles if (found := open_bundle(one, (), quiet))]
    work = combining.stream(opened, out, rename=rename, name=name)
    tell(run(work, quiet, resumes=False))
