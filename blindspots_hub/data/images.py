"""Images in and out: every file that is not ours is read here, within bounds."""

from __future__ import annotations

import io
import struct
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import printable
from blindspots_hub.utils.passing import again

MAX_PIXELS = 64_000_000
"""Images of more pixels are refused, from the header, before anything is decoded."""

MAX_BYTES = 64 * 1024 * 1024
"""Files of more bytes are refused."""

MAX_ASPECT = 50
"""Images that are more times as long as wide are refused: preprocessing scales the shorter side."""

BLANK_RANGE = 2
"""Levels of 255 that the pixels of a blank image may differ by: what no eye can see."""

# Only formats that Pillow decodes itself: EPS, for one, would start Ghostscript.
_AVIF = ("AVIF",) if features.check("avif") else ()

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *_AVIF)
"""Pillow's names of the formats that are read; AVIF where this Pillow decodes it."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image of each EXIF orientation upright."""

_ORIENTATION = 0x0112


def open_image(source: Path | bytes, where: str | None = None) -> Image.Image:
    """Decode an image file into RGB, upright and opaque, with no metadata left.

    `source` is a file or its content; `where` is what errors call it (the path, unless given).
    EXIF orientation is applied, transparency is laid on white, 16-bit grey is scaled to 8 bits,
    palettes and CMYK are converted, and of an animation the first frame is taken. Colour profiles
    are dropped, not applied. Of EXIF only the orientation is read.

    Raises `BlindspotsError` where the file is empty, truncated, no image, larger than `MAX_BYTES`,
    of more than `MAX_PIXELS`, or thinner than 1 : `MAX_ASPECT`; `PassingFault` if its disk is away.
    """
    name = _name(source, where)
    image = header(_content(source, name), name)
    try:
        image.load()
        return _rgb(upright(image), name, image.format == "BMP")
    except BlindspotsError:
        raise
    except Exception as error:  # a decoder fed hostile bytes may raise anything at all
        raise BlindspotsError(
            f"{name} cannot be decoded ({_reason(error)}): it is truncated or damaged, "
            "replace or remove it."
        ) from error


def read_image(path: Path) -> bytes:
    """Content of an image file, cut just above `MAX_BYTES`.

    One that is away for a moment is tried again. Raises `PassingFault` where its disk stays away,
    another `BlindspotsError` where the file itself cannot be read.
    """
    try:
        return again(partial(first_bytes, path), path)
    except OSError as error:
        raise BlindspotsError(
            f"{printable(str(path))} cannot be read ({error.strerror}): check its name and your "
            "rights."
        ) from error


def image_size(source: Path | bytes, where: str | None = None) -> tuple[int, int]:
    """Width and height in pixels from the header alone, under the bounds of `open_image`."""
    name = _name(source, where)
    return header(_content(source, name), name).size


def is_blank(image: Image.Image) -> bool:
    """Whether an RGB image is all one colour, and so says nothing about what it is to show."""
    ranges: Any = image.getextrema()
    return all(high - low <= BLANK_RANGE for low, high in ranges)


def encode_webp(
    image: Image.Image,
    *,
    lossless: bool,
    quality: int = 85,
    size: int | None = None,
    method: int = 4,
) -> bytes:
    """WebP file of `image`, the same bytes for the same pixels.

    `size` shrinks the image so that its longer side has that many pixels (it never grows).
    `quality`, 0 to 100, is the fidelity of a lossy file and the effort of a lossless one; `method`,
    0 to 6, the effort to make it small.
    """
    if size is not None and max(image.size) > size:
        image = image.copy()
        # Averaged down to nearly that first, which takes a fifth of the time.
        image.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=1.0)
    buffer = io.BytesIO()
    bare(image).save(buffer, format="WEBP", lossless=lossless, quality=quality, method=method)
    return buffer.getvalue()


def encode_png(image: Image.Image) -> bytes:
    """PNG file of `image`, the same bytes for the same pixels."""
    buffer = io.BytesIO()
    bare(image).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def bare(image: Image.Image) -> Image.Image:
    """RGB copy of `image` without metadata (encoders would write what they find in `info`)."""
    copy = image.convert("RGB") if image.mode != "RGB" else image.copy()
    copy.info = {}
    return copy


def _name(source: Path | bytes, where: str | None) -> str:
    if where is not None:
        return where
    return printable(str(source)) if isinstance(source, Path) else "The image"


def _content(source: Path | bytes, name: str) -> bytes:
    content = source if isinstance(source, bytes) else read_image(source)
    if not content:
        raise BlindspotsError(f"{name} is empty (0 bytes): replace or remove it.")
    if len(content) > MAX_BYTES:
        raise BlindspotsError(
            f"{name} is larger than {MAX_BYTES >> 20} MiB: shrink the image or remove it."
        )
    return content


def first_bytes(path: Path) -> bytes:
    """Content of a file, cut just above `MAX_BYTES`; raises the system's `OSError`."""
    with open(path, "rb") as handle:
        return handle.read(MAX_BYTES + 1)


def header(content: bytes, name: str) -> Image.Image:
    """The image of `content`, opened but not decoded, under the bounds of `open_image`."""
    try:
        with warnings.catch_warnings():
            # Of its size: refused below, in a sentence.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError:
        raise BlindspotsError(_too_many_pixels(name)) from None
    except Exception as error:  # see open_image
        kind = kind_of(content[:32])
        told = (
            f"is {kind}, which is not read here: save it"
            if kind not in (None, *FORMATS)
            else ("is not an image that can be read: replace or remove it, or save it")
        )
        raise BlindspotsError(f"{name} {told} as JPEG, PNG, WebP, BMP, GIF or TIFF.") from error
    width, height = image.size
    if width < 1 or height < 1:
        raise BlindspotsError(f"{name} has no pixels ({width}×{height}): replace or remove it.")
    if width * height > MAX_PIXELS:
        raise BlindspotsError(_too_many_pixels(name))
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise BlindspotsError(
            f"{name} is too thin ({width:,}×{height:,} pixels, over {MAX_ASPECT} times as long as "
            "wide): crop the image or remove it."
        )
    return image


def kind_of(head: bytes) -> str | None:
    """Pillow's name of the format that a file's first 32 bytes are of; None where it is no image.

    Formats that are not in `FORMATS` are known too, so that what is left out can be named.
    """
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"avif", b"avis"):
            return "AVIF"
        return "HEIC" if brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1") else None
    if head[:4] == b"RIFF":
        return "WEBP" if head[8:12] == b"WEBP" else None
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"BM": "BMP",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"8BPS": "PSD",
}


def _too_many_pixels(name: str) -> str:
    return (
        f"{name} claims more than {MAX_PIXELS // 1_000_000} megapixels: "
        "shrink the image or remove it."
    )


def upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation says; whatever else EXIF holds is nobody's business."""
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # EXIF that cannot be read is as good as none, as viewers have it
        orientation = None
    if orientation is None:  # Pillow reads nothing behind an entry that is broken
        orientation = _raw_orientation(image.info.get("exif"))
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.info.update({key: image.info[key] for key in ("transparency",) if key in image.info})
    return turned


def _raw_orientation(exif: object) -> int | None:
    """The orientation in the first directory of an EXIF block, whatever its other entries are."""
    if not isinstance(exif, bytes):
        return None
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    try:
        if order is None:
            return None
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, place)
            if tag == _ORIENTATION and kind == 3:
                return int(value)
    except struct.error:  # it ends before the orientation comes
        return None
    return None


def _rgb(image: Image.Image, name: str, bitmap: bool) -> Image.Image:
    if image.mode in ("I", "F"):
        raise BlindspotsError(
            f"{name} has 32-bit pixels of no fixed range: save it with 8 or 16 bits a channel."
        )
    if image.mode.startswith("I;16"):  # convert() would clip at 255 instead of scaling
        wide = np.asarray(image, dtype=np.uint32)
        eight = ((wide + 128) // 257).astype(np.uint8)
        clear = image.info.get("transparency")  # the one level of grey that is transparent
        image = Image.fromarray(np.where(wide == clear, 255, eight).astype(np.uint8))
    if bitmap and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return bare(
            image
        )  # a bitmap's fourth byte, which many programs leave 0, as viewers have it
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return bare(image)


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
