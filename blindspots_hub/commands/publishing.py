"""`--push`: what a command made is published when it is done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from blindspots_hub.commands.options import is_first, run
from blindspots_hub.errors import BlindspotsError

if TYPE_CHECKING:
    from blindspots_hub.artifacts.bundle import Bundle
    from blindspots_hub.artifacts.hub.publish import Published
    from blindspots_hub.artifacts.hub.repos import Reference

PushOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--push",
        metavar="NAMESPACE/NAME@VERSION",
        help="Publish the bundle when it is done, as `push` does.",
    ),
]
PrivateOption = Annotated[
    bool, typer.Option("--private", help="With --push: create new repositories as private ones.")
]


def publishing_to(push: str | None) -> Reference | None:
    """Where `--push` leads, looked at before the work begins; None without it.

    Raises `BlindspotsError` where it names no version, the Hub does not answer, or the token may
    not write there: told now, and not after hours of drawing.
    """
    if push is None:
        return None
    from blindspots_hub.artifacts.hub.checks import check_writable
    from blindspots_hub.artifacts.hub.client import Hub
    from blindspots_hub.artifacts.hub.repos import Reference

    reference = Reference.parse(push)
    if reference.version is None:
        raise BlindspotsError(
            f"--push {push} names no version: write NAMESPACE/NAME@1.0.0, three numbers."
        )
    if is_first():
        check_writable(Hub(None), str(reference), reference.namespace)
    return reference


def publish(
    bundle: Bundle | None, reference: Reference | None, private: bool, quiet: bool
) -> Published | None:
    """Publish a finished bundle; None where there is none, or where nobody asked for it.

    Whatever stops it, the bundle is whole: the same command publishes what is missing.
    """
    if bundle is None or reference is None:
        return None
    from blindspots_hub.artifacts.hub.publish import push
    from blindspots_hub.artifacts.hub.space import space_files

    work = push.stream(
        bundle.root,
        reference.namespace,
        str(reference.version),
        name=reference.name,
        private=private,
        space=partial(space_files, private=private),
    )
    return run(work, quiet)
