"""Files in xet storage: `hf_xet` itself keeps them, in a folder, when it is pointed at `local://`.

A commit names a file by its sha256, a download by its xet hash; which is which stands in the
shards that the client leaves in the folder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RECORD = 48
VERIFIED, DESCRIBED = 1 << 31, 1 << 30
"""Flags of a file in a shard: a verification record follows each segment; one with its sha256."""

END = b"\xff" * 32


def hash_hex(raw: bytes) -> str:
    """A hash as xet writes it: four little-endian numbers of eight bytes."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


@dataclass(frozen=True)
class XetFile:
    """A file in xet storage: its xet hash (hex) and size in bytes."""

    hash: str
    size: int


class XetStore:
    """A folder that xet clients upload to and download from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, XetFile] = {}

    @property
    def endpoint(self) -> str:
        """Where the clients are sent."""
        return f"local://{self._folder}"

    def find(self, sha256: str) -> XetFile | None:
        """The file of this sha256 (hex), once a client has uploaded it."""
        if sha256 not in self._known:
            for shard in self._folder.rglob("xorbs/shards/*.mdb"):
                self._known.update(_files(shard.read_bytes()))
        return self._known.get(sha256)


def _files(shard: bytes) -> Iterator[tuple[str, XetFile]]:
    """The files of a shard by their sha256."""
    at = RECORD  # after the shard's own header
    while shard[at : at + 32] != END:
        name = hash_hex(shard[at : at + 32])
        flags, segments = struct.unpack_from("<2I", shard, at + 32)
        at += RECORD
        # A segment: 32 bytes of hash, flags, its bytes unpacked, the range of its chunks.
        sizes = [struct.unpack_from("<I", shard, at + i * RECORD + 36)[0] for i in range(segments)]
        at += segments * RECORD * (2 if flags & VERIFIED else 1)
        if flags & DESCRIBED:
            yield hash_hex(shard[at : at + 32]), XetFile(name, sum(sizes))
            at += RECORD
