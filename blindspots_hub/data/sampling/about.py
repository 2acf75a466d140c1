"""How a sample was drawn, as it is written beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blindspots_hub.data.fetching.many import Web
from blindspots_hub.data.sampling.blocks import pair_files
from blindspots_hub.data.sampling.near_copies import NEAR
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint, read_json

ABOUT = "sample.json"
"""How a sample was drawn: `source`, `revision`, `seed`, `how` (bounds and columns), `pairs`,
`wanted`, and `causes`, how many candidates each cause left out."""

JUDGING = ("max_bytes", "max_pixels", "max_aspect", "min_side", "opt_outs", "robots_txt")
"""The limits that decide which images are valid; the others only say how fast it goes."""


def read_sample(folder: Path) -> dict[str, Any] | None:
    """What `ABOUT` says of the sample in `folder`; None where there is none."""
    return read_json(folder / ABOUT) if (folder / ABOUT).is_file() else None


def judging(web: Web) -> dict[str, Any]:
    """What decides which images are valid, for `ABOUT`."""
    return {**{name: getattr(web.limits, name) for name in JUDGING}, "near_copies": NEAR}


def check_same(folder: Path, asked: dict[str, Any]) -> None:
    """Raise `BlindspotsError` where `folder` holds anything but a sample drawn as `asked`."""
    known = read_sample(folder)
    if known is None:
        if folder.is_dir() and any(path.name[0] != "." for path in folder.iterdir()):
            raise BlindspotsError(f"{folder} holds other files: choose another folder.")
        return
    other = [key for key in asked if fingerprint(known.get(key)) != fingerprint(asked[key])]
    if other:
        raise BlindspotsError(
            f"{folder} holds a sample that was drawn otherwise ({', '.join(other)}): choose "
            "another folder."
        )


def sampled_files(folder: Path) -> list[Path]:
    """Files of a sample's pairs; `BlindspotsError` where there are none yet."""
    files = pair_files(folder)
    if not files:
        raise BlindspotsError(
            f"{folder} holds a sample without a pair yet: run the command that draws it again."
        )
    return files
