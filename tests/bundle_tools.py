"""Changing bundles on purpose."""

from __future__ import annotations

from pathlib import Path

from blindspots_hub.utils.files import read_json, sha256_file, write_json


def rehash(bundle: Path) -> None:
    """Make the manifest agree with the files, so that only their contents are at fault."""
    manifest = read_json(bundle / "bundle.json")
    for name, entry in manifest["files"].items():
        entry["sha256"] = sha256_file(bundle / name)
        entry["bytes"] = (bundle / name).stat().st_size
    write_json(bundle / "bundle.json", manifest)
