"""`deploy-space`: a Space of one's own that shows a published bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import QuietOption, run


def deploy_space(
    bundle: Annotated[
        str,
        typer.Argument(
            metavar="NAMESPACE/BUNDLE[@VERSION]",
            help="The bundle that the Space shows; or the folder of one that was pulled.",
        ),
    ],
    space: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="NAMESPACE/NAME of the Space. Default: the bundle's own name."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", help="Write the Space's files to this folder, publish nothing."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would change, and change nothing.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="The Space and the bundle are private.")
    ] = False,
    hardware: Annotated[
        str, typer.Option(help="What the Space is to run on, as the Hub names it: cpu-basic.")
    ] = "zero-a10g",
    quiet: QuietOption = False,
) -> None:
    """Assemble a Space that shows one version of a bundle, and publish it on the Hub."""
    from blindspots_hub.artifacts.hub.space import (
        deploy_space,
        lock_of,
        space_files,
        space_repo,
        write_space,
    )

    lock = lock_of(bundle)
    files = space_files(lock, space=space, hardware=hardware, private=private)
    if out is not None:
        write_space(files, out)
        app = shlex.quote(str(out / "app.py"))
        typer.echo(f"{out} is a Space that shows {lock.reference}: python {app}")
        return
    repo = space_repo(lock, space)
    deployed = run(deploy_space.stream(repo, files, lock, private=private, dry_run=dry_run), quiet)
    typer.echo("\n".join(deployed.plan.lines()))
    if dry_run:
        typer.echo("Nothing was written.")
        return
    typer.echo(deployed.address)
    typer.echo(f"Its hardware is chosen in its settings on the Hub; suggested is {hardware}.")
    if private:
        typer.echo("To read a private bundle it needs a secret HF_TOKEN that may read it.")
