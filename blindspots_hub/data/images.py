"""Images in and out: every file that is not ours is read here, within bounds."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from blindspots_hub.errors import BlindspotsError

MAX_PIXELS = 64_000_000
"""Images of more pixels are refused, from the header, before anything is decoded."""

MAX_BYTES = 64 * 1024 * 1024
"""Files of more bytes are refused."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""File name endings, in lower case, that `list_images` takes for images."""

# Only formats that Pillow decodes itself: EPS, for one, would start Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


def open_image(source: Path | bytes, where: str | None = None) -> Image.Image:
    """Decode an image file into RGB, upright and opaque, with no metadata left.

    `source` is a file or its content; `where` is what errors call it (the path, unless given).
    EXIF orientation is applied, transparency is laid on white, 16-bit grey is scaled to 8 bits,
    palettes and CMYK are converted, and of an animation the first frame is taken. Colour profiles
    are dropped, not applied.

    Raises `BlindspotsError` where the file is missing, empty, truncated, no image, larger than
    `MAX_BYTES`, or of more than `MAX_PIXELS`.
    """
    name = _name(source, where)
    image = _header(_content(source, name), name)
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _rgb(upright, name)
    except BlindspotsError:
        raise
    except Exception as error:  # a decoder fed hostile bytes may raise anything at all
        raise BlindspotsError(
            f"{name} cannot be decoded ({_reason(error)}): it is truncated or damaged, "
            "replace or remove it."
        ) from error


def image_size(source: Path | bytes, where: str | None = None) -> tuple[int, int]:
    """Width and height in pixels from the header alone, under the bounds of `open_image`."""
    name = _name(source, where)
    return _header(_content(source, name), name).size


def list_images(folder: Path) -> list[Path]:
    """Image files directly in `folder`, sorted by name; hidden files are left out.

    Raises `BlindspotsError` where `folder` is not a folder or holds no image.
    """
    if not folder.is_dir():
        raise BlindspotsError(f"{folder} is not a folder: give the folder that holds the images.")
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    ]
    if not found:
        raise BlindspotsError(
            f"{folder} holds no images: put files ending in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))} directly in it."
        )
    return sorted(found, key=lambda path: path.name)


def encode_webp(
    image: Image.Image, *, lossless: bool, quality: int = 85, size: int | None = None
) -> bytes:
    """WebP file of `image`, the same bytes for the same pixels.

    `size` shrinks the image so that its longer side has that many pixels (it never grows).
    `quality`, 0 to 100, is the fidelity of a lossy file and the effort of a lossless one.
    """
    if size is not None and max(image.size) > size:
        image = image.copy()
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    bare(image).save(buffer, format="WEBP", lossless=lossless, quality=quality, method=4)
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
    return str(source) if isinstance(source, Path) else "The image"


def _content(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        content = source
    else:
        try:
            with open(source, "rb") as handle:
                content = handle.read(MAX_BYTES + 1)
        except OSError as error:
            raise BlindspotsError(
                f"{name} cannot be read ({error.strerror}): check its name and your rights."
            ) from error
    if not content:
        raise BlindspotsError(f"{name} is empty (0 bytes): replace or remove it.")
    if len(content) > MAX_BYTES:
        raise BlindspotsError(
            f"{name} is larger than {MAX_BYTES >> 20} MiB: shrink the image or remove it."
        )
    return content


def _header(content: bytes, name: str) -> Image.Image:
    """The image of `content`, opened but not decoded, and not too large to decode."""
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise BlindspotsError(_too_many_pixels(name)) from None
    except Exception as error:  # see open_image
        raise BlindspotsError(
            f"{name} is not an image that can be read (JPEG, PNG, WebP, BMP, GIF or TIFF): "
            "replace or remove it."
        ) from error
    width, height = image.size
    if width < 1 or height < 1:
        raise BlindspotsError(f"{name} has no pixels ({width}×{height}): replace or remove it.")
    if width * height > MAX_PIXELS:
        raise BlindspotsError(_too_many_pixels(name))
    return image


def _too_many_pixels(name: str) -> str:
    return (
        f"{name} claims more than {MAX_PIXELS // 1_000_000} megapixels: "
        "shrink the image or remove it."
    )


def _rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode in ("I", "F"):
        raise BlindspotsError(
            f"{name} has 32-bit pixels of no fixed range: save it with 8 or 16 bits a channel."
        )
    if image.mode.startswith("I;16"):  # convert() would clip at 255 instead of scaling
        wide = np.asarray(image, dtype=np.uint32)
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return bare(image)


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
