"""`push`, `pull`, `versions`: bundles on the Hugging Face Hub."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from blindspots_hub.commands.options import QuietOption, run

if TYPE_CHECKING:
    from blindspots_hub.artifacts.hub.publish import Published

ReferenceArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAMESPACE/BUNDLE[@VERSION]",
        help="VERSION is 1.0.0, v1.0.0 or a commit (40 digits). Default: the highest version.",
    ),
]


def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle.")],
    namespace: Annotated[str, typer.Option(help="Your name on the Hub, or an organisation's.")],
    version: Annotated[str, typer.Option(help="Three numbers such as 1.0.0; never used twice.")],
    name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Name of the bundle on the Hub. Default: its own."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would change, and change nothing.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="Create new repositories as private ones.")
    ] = False,
    create_pr: Annotated[
        bool,
        typer.Option("--create-pr", help="Propose the content as pull requests instead."),
    ] = False,
    natural_images: Annotated[
        str,
        typer.Option(
            help="Natural images from the web (those with a URL): all, thumbnails or none of them "
            "are published. Their URL, sha256 and size always are."
        ),
    ] = "thumbnails",
    licence: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Licence of what is yours in it, as the Hub names it: cc-by-4.0."),
    ] = None,
    no_space: Annotated[
        bool, typer.Option("--no-space", help="Without the Space that shows it in the browser.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Publish a bundle as a version of repositories on the Hugging Face Hub.

    Stopped (Ctrl-C) and run again with the same arguments, it goes on where it was. The token is
    HF_TOKEN's, or that of `hf auth login`.
    """
    from blindspots_hub.artifacts.hub.publish import push
    from blindspots_hub.artifacts.hub.space import space_files

    work = push.stream(
        folder,
        namespace,
        version,
        name=name,
        natural_images=natural_images,
        licence=licence,
        private=private,
        create_pr=create_pr,
        dry_run=dry_run,
        space=None if no_space else partial(space_files, private=private),
    )
    tell_published(run(work, quiet))


def pull(
    reference: ReferenceArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    parts: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--parts",
            help="pairs, generations, sae, backbone: only these and deltas. Default: all.",
        ),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Fetch a published bundle, every file checked by sha256.

    Stopped and run again it goes on where it was; with more parts it adds them.
    """
    from blindspots_hub.artifacts.hub.fetch import pull
    from blindspots_hub.artifacts.layout import PARTS

    asked = [part for given in parts or [] for part in given.split(",")]
    root = run(pull.stream(reference, out, asked or PARTS), quiet)
    typer.echo(f"Look at it: python app.py --bundle {shlex.quote(str(root))}")


def versions(reference: ReferenceArgument, quiet: QuietOption = False) -> None:
    """List the versions of a bundle on the Hub, their commits, and which are whole.

    Exits with 1 if one of them is not.
    """
    from blindspots_hub.artifacts.hub.repos import Reference
    from blindspots_hub.artifacts.hub.versions import versions

    named = Reference.parse(reference)
    listed = run(versions.stream(named), quiet)
    if not listed:
        typer.echo(f"No version of {named.bundle} is published yet.")
    for version in listed:
        state = "; ".join(version.faults) or "whole"
        typer.echo(f"{version.version}  {version.commit or '-':40}  {state}")
        for repo, commit in version.contents.items():
            typer.echo(f"  {commit}  {repo.kind} {repo.id}")
    if any(version.faults for version in listed):
        raise typer.Exit(1)


def tell_published(published: Published) -> None:
    """Say what became of a push."""
    reference = published.reference
    nothing = published.lock is None and not published.pull_requests
    for plan in published.plans:
        typer.echo("\n".join(plan.lines() if nothing else plan.lines()[:1]))
    if published.pull_requests:
        typer.echo("Proposed as pull requests: " + " ".join(published.pull_requests))
        typer.echo(
            "Merged on the Hub by who owns the repositories, the version is made by their pushing "
            "the same bundle without --create-pr."
        )
    elif nothing:
        typer.echo(f"{reference}: nothing was written.")
    else:
        state = "was published already" if published.already else "is published"
        typer.echo(f"{reference} {state}.")
        if published.collection:
            typer.echo(published.collection)
        typer.echo(f"Look at it: python app.py --bundle {reference}")
