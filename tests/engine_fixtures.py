"""Small worlds for the engine's tests: folders of planted pairs, and files of a bundle."""

from __future__ import annotations

from pathlib import Path

from blindspots_hub.data.images import encode_png
from blindspots_hub.generation.shards import read_shard
from blindspots_hub.planted.world import world_pairs


def files(root: Path) -> dict[str, bytes]:
    """Content of every file below `root`."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def generated(store: Path) -> dict[str, bytes]:
    """Content of every image that a store of generations holds, in shards or singly, by name."""
    found = {path.stem: path.read_bytes() for path in (store / ".work").glob("*.png")}
    for shard in store.glob("*.parquet"):
        found |= {name: one.content or b"" for name, one in read_shard(shard).items()}
    return found


def paired_folders(root: Path, count: int) -> tuple[Path, Path]:
    """Natural images, and the same upside down, under the same names."""
    natural, generated = root / "natural", root / "generated"
    natural.mkdir(parents=True)
    generated.mkdir()
    for pair in world_pairs(count, seed=5):
        (natural / f"{pair.index:03}.png").write_bytes(encode_png(pair.image))
        (generated / f"{pair.index:03}.png").write_bytes(encode_png(pair.image.rotate(180)))
    return natural, generated


def captioned_folder(folder: Path, count: int) -> list[Path]:
    """Images of planted pairs, each with its caption beside it."""
    folder.mkdir(parents=True)
    paths = []
    for pair in world_pairs(count, seed=99):
        path = folder / f"{pair.index:03}.png"
        path.write_bytes(encode_png(pair.image))
        path.with_suffix(".txt").write_text(pair.caption.text)
        paths.append(path)
    return paths
