"""Where evaluations of the page keep their files, and their bundles as one file to download."""

from __future__ import annotations

import os
import re
import zipfile
from dataclasses import asdict
from pathlib import Path

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import MANIFEST, cards
from blindspots_hub.explorer.page.catalog import bundle_id
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import USUAL, GenerationChoice
from blindspots_hub.explorer.tabs.evaluate_parts.more_form import NO_MORE, More
from blindspots_hub.utils.files import atomic, fingerprint


def result_folder(
    root: Path,
    home: Bundle,
    model: str,
    pairs: int,
    seed: int,
    choice: GenerationChoice = USUAL,
    more: More = NO_MORE,
) -> Path:
    """Where an evaluation keeps its files: the same request finds them again.

    The models of a row share one, which the first of them names.
    """
    readable = re.sub(r"[^\w.-]+", "-", model).strip("-.")[-60:] or "model"
    if others := len(more.after(model)) - 1:
        readable += f"-and-{others}-more"
    asked = [bundle_id(home), model, pairs, seed, asdict(choice)]
    asked += [asdict(more)] if more != NO_MORE else []
    request = fingerprint(asked)[:8]
    return root / f"{readable}-{pairs}-{seed}-{request}"


def zip_bundle(bundle: Bundle) -> Path:
    """The bundle as one file to download; parquet is compressed already, so it is only joined.

    One file a bundle, in Gradio's own folder for what it serves, from where it is not copied once
    more: under a name by the manifest's whole sha256, which no visitor can guess. It goes when
    nobody has asked for it for a day.
    """
    from gradio.utils import get_upload_folder

    folder = Path(get_upload_folder()) / bundle.sha256
    path = folder / f"{bundle.name}.zip"
    if path.is_file():
        os.utime(path)
        return path
    with (
        atomic(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive,
    ):
        for name in (MANIFEST, *cards(bundle.root), *sorted(bundle.manifest.files)):
            archive.write(bundle.root / name, f"{bundle.name}/{name}")
    return path
