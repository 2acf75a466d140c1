"""The body of an answer, cut while it streams and while it is decompressed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Iterable

from blindspots_hub.data.fetching.causes import NoFetch

_PIECE = 256 * 1024
"""Bytes that are decompressed at once."""


async def read_body(
    stream: AsyncIterable[bytes], headers: Iterable[tuple[bytes, bytes]], most: int
) -> bytes:
    """The decoded body, of at most `most` bytes both as sent and as decompressed.

    Raises `NoFetch`: too_large, bad_encoding (none but gzip and deflate, once), empty.
    """
    found = {name.lower(): value.strip() for name, value in headers}
    length = found.get(b"content-length", b"")
    if length.isdigit() and int(length[:20]) > most:
        raise NoFetch("too_large", f"{length[:20].decode()} bytes")
    decoder = _decoder(found.get(b"content-encoding", b"").lower())
    content, sent = bytearray(), 0
    async for chunk in stream:
        sent += len(chunk)
        if sent > most:
            raise NoFetch("too_large", f"more than {most:,} bytes")
        if decoder is None:
            content += chunk
        else:
            _decompress(decoder, chunk, content, most)
    if decoder is not None and not decoder.eof:
        raise NoFetch("bad_encoding", "a compressed body that ends early")
    if not content:
        raise NoFetch("empty", "no content")
    return bytes(content)


def _decoder(encoding: bytes) -> zlib._Decompress | None:
    if encoding in (b"", b"identity", b"none", b"binary"):
        return None
    if encoding in (b"gzip", b"x-gzip"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16)
    if encoding == b"deflate":
        return zlib.decompressobj()
    raise NoFetch("bad_encoding", f"the encoding {encoding[:40].decode('latin-1')}")


def _decompress(decoder: zlib._Decompress, chunk: bytes, content: bytearray, most: int) -> None:
    while chunk and not decoder.eof:
        try:
            content += decoder.decompress(chunk, _PIECE)
        except zlib.error as error:
            raise NoFetch("bad_encoding", str(error)) from error
        if len(content) > most:
            raise NoFetch("too_large", f"more than {most:,} bytes when decompressed")
        chunk = decoder.unconsumed_tail
