"""What several commands share: options, progress in the terminal, the closing words."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Optional, TypeVar

import typer

from blindspots_hub.progress import Event, TerminalProgress, Work, drive

if TYPE_CHECKING:
    from blindspots_hub.artifacts.bundle import Bundle

T = TypeVar("T")

# Optional[...] and not `| None`: typer evaluates these annotations on Python 3.10 too.
BundleOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--bundle",
        help="Bundle whose concepts are used: a folder, or NAMESPACE/BUNDLE[@VERSION] on the Hub. "
        "Default: the embedded one.",
    ),
]
BundleArgument = Annotated[str, typer.Argument(help="A bundle: a folder, or org/name[@version].")]
DeviceOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--device", help="cpu, cuda, cuda:1, mps. Default: the best there is."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bars.")]
TokensOption = Annotated[
    str,
    typer.Option(help="Tokens that an energy sums: patches, or all (as the authors' code does)."),
]


def is_first() -> bool:
    """Whether this process shows what is going on; `accelerate launch` starts others."""
    return int(os.environ.get("RANK", "0")) == 0


def open_bundle(
    source: str | None, parts: Collection[str] = (), quiet: bool = False
) -> Bundle | None:
    """The bundle that `source` names, with `parts`; None where it names none."""
    from blindspots_hub.artifacts.bundle import load_bundle

    if source is None:
        return None
    with TerminalProgress(quiet) as show:
        return load_bundle(source, parts, show)


def run(work: Work[T], quiet: bool, resumes: bool = True) -> T:
    """Do the work with progress bars, unless `quiet`.

    A Ctrl-C becomes one that says how far the work was, and whether, as `resumes` has it, the same
    command goes on from there.
    """
    last: Event | None = None
    with TerminalProgress(quiet) as shown:

        def show(event: Event) -> None:
            nonlocal last
            last = event
            shown(event)

        try:
            return drive(work, show)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_stopped(last, resumes) if is_first() else " ") from None


def telling_estimates(work: Work[T]) -> Work[T]:
    """The same work; estimates are told as they come, before most of it is done."""
    try:
        while True:
            event = next(work)
            if (said := event.detail.get("estimate")) and is_first():
                typer.echo(f"It takes {said}", err=True)
            yield event
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        work.close()


def _stopped(last: Event | None, resumes: bool) -> str:
    if last is None:
        return ""
    done = f", {last.done:,} of {last.total:,} done" if last.total > 1 else ""
    kept = (
        "What is done is kept: run the same command again to go on from there."
        if resumes
        else "Run the same command again to start anew."
    )
    return f"Stopped at '{last.stage}'{done}. {kept}"


def share(work: Work[T], quiet: bool) -> T | None:
    """Do the work, alone or with the other processes, of which the first alone gets the result."""
    from blindspots_hub.utils.distributed import shutdown

    result = run(work, quiet or not is_first())
    shutdown()
    return result if is_first() else None


def tell(bundle: Bundle | None) -> None:
    """Say what a finished bundle found, and how to look at it; of none, nothing."""
    from blindspots_hub.analysis.domain import domain_warning
    from blindspots_hub.analysis.summary import summary

    if bundle is None:
        return
    for name in bundle.models:
        typer.echo(summary(bundle, name))
        if warning := domain_warning(bundle, name):
            typer.echo(f"Warning: {warning}")
    typer.echo(f"Look at it: python app.py --bundle {shlex.quote(str(bundle.root))}")
