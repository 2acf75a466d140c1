from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from data_fixtures import encoded, plain
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from blindspots_hub.data import images
from blindspots_hub.data.images import (
    encode_png,
    encode_webp,
    image_size,
    is_blank,
    open_image,
)
from blindspots_hub.data.listing import list_images
from blindspots_hub.errors import BlindspotsError


def claimed_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its few bytes do not hold."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def pixel(image: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    value = image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_formats_open_as_rgb(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded(Image.new("RGB", (24, 16), (200, 40, 40)), kind))
    image = open_image(path)
    assert (image.mode, image.size) == ("RGB", (24, 16))
    assert np.abs(np.array(pixel(image)) - (200, 40, 40)).max() <= 4


def test_transparency_is_laid_on_white() -> None:
    layer = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    assert pixel(open_image(encoded(layer))) == (255, 127, 127)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, 0, 255, 0])
    palette.putpixel((1, 0), 1)
    opened = open_image(encoded(palette, transparency=0))
    assert pixel(opened) == (255, 255, 255)
    assert pixel(opened, 1, 0) == (0, 255, 0)
    grey = Image.new("LA", (4, 4), (0, 0))
    assert pixel(open_image(encoded(grey))) == (255, 255, 255)


def test_cmyk_and_sixteen_bits_keep_their_colours() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = pixel(open_image(encoded(cyan, "JPEG", quality=95)))
    assert red < 30
    assert green > 200
    assert blue > 200
    wide = np.array([[0, 32768, 65535]], dtype=np.uint16)
    opened = open_image(encoded(Image.fromarray(wide)))
    assert [pixel(opened, x)[0] for x in range(3)] == [0, 128, 255]


def test_thirty_two_bit_pixels_are_refused() -> None:
    floats = encoded(Image.new("F", (4, 4), 0.5), "TIFF")
    with pytest.raises(BlindspotsError, match="32-bit"):
        open_image(floats, "depth.tif")


def test_orientation_is_applied_and_metadata_dropped() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (20, 10), "black")
    picture.paste((255, 255, 255), (0, 0, 5, 10))
    opened = open_image(encoded(picture, "JPEG", exif=exif, quality=95, icc_profile=b"x" * 200))
    assert opened.size == (10, 20)
    assert pixel(opened, 5, 1)[0] > 200
    assert pixel(opened, 5, 18)[0] < 50
    assert opened.info == {}
    again = Image.open(io.BytesIO(encode_png(opened)))
    assert not again.getexif()


def exif_jpeg(tag: int, kind: int, count: int, orientation: int = 6) -> bytes:
    """A JPEG whose EXIF has an orientation and one other value, of any type."""
    base = encoded(Image.new("RGB", (32, 24), (9, 99, 200)), "JPEG")
    entries = [
        struct.pack("<HHI", 0x112, 3, 1) + struct.pack("<HH", orientation, 0),
        struct.pack("<HHI", tag, kind, count) + struct.pack("<I", 38),
    ]
    body = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2)
    body += b"".join(sorted(entries, key=lambda e: struct.unpack("<H", e[:2])[0]))
    body += b"\0\0\0\0" + struct.pack("<ii", -1, 0) * 4 + b"ab\xff\xfe" * 8
    return base[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + base[2:]


@pytest.mark.parametrize("tag", [0x11A, 0x128, 0x131, 0x111, 0x2BC, 0x8769, 0x8825])
def test_of_exif_only_the_orientation_counts(tag: int) -> None:
    for kind in range(14):
        for count in (0, 1, 5, 100_000):
            assert open_image(exif_jpeg(tag, kind, count)).size == (24, 32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int) -> None:
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :12, 0], upright[8:, 12:, 1] = 255, 255
    stored = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    picture = Image.fromarray(upright)
    turned = picture if stored is None else picture.transpose(Image.Transpose(stored))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "WEBP"):
        opened = open_image(encoded(turned, kind, exif=exif, lossless=True))
        assert np.array_equal(np.asarray(opened), upright)


def test_transparent_grey_of_sixteen_bits_is_white() -> None:
    wide = np.full((4, 4), 30_000, np.uint16)
    wide[0] = 12_345
    picture = Image.fromarray(wide)
    opened = open_image(encoded(picture, transparency=12_345))
    assert pixel(opened) == (255, 255, 255)
    assert pixel(opened, 0, 2) == (117, 117, 117)


def test_a_bitmap_whose_fourth_byte_is_zero_is_opaque() -> None:
    pixels = bytes((30, 60, 200, 0)) * 256
    header = struct.pack("<IiiHHIIiiII", 108, 16, 16, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"Win " + b"\0" * 48
    start = 14 + 108
    file = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + masks + pixels
    assert pixel(open_image(file)) == (200, 60, 30)


@pytest.mark.parametrize("size", [(7, 3_000_000), (3_000_000, 7), (1, 51)])
def test_thin_images_are_refused_by_their_header(size: tuple[int, int]) -> None:
    for read in (open_image, image_size):
        with pytest.raises(BlindspotsError, match=r"thin\.png is too thin"):
            read(claimed_png(*size), "thin.png")
    assert image_size(claimed_png(2, 100)) == (2, 100)


def test_blank_is_one_colour() -> None:
    assert is_blank(Image.new("RGB", (8, 8), (0, 0, 0)))
    assert is_blank(open_image(encoded(Image.new("RGB", (64, 64), (13, 200, 7)), "JPEG")))
    spot = Image.new("RGB", (8, 8), (0, 0, 0))
    spot.putpixel((3, 3), (0, 9, 0))
    assert not is_blank(spot)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixel(open_image(content)) == (255, 0, 0)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_truncated_files_are_told(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    path = tmp_path / f"half.{kind.lower()}"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BlindspotsError, match="half") as caught:
        open_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_image_is_told(content: bytes) -> None:
    with pytest.raises(BlindspotsError, match=r"upload\.png"):
        open_image(content, "upload.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(100_000, 100_000), (8_001, 8_000), (20_000, 5_000)])
def test_decompression_bombs_are_refused_by_their_header(size: tuple[int, int]) -> None:
    with pytest.raises(BlindspotsError, match="64 megapixels"):
        open_image(claimed_png(*size), "bomb.png")
    with pytest.raises(BlindspotsError, match="64 megapixels"):
        image_size(claimed_png(*size), "bomb.png")


def test_the_bounds_are_bounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert image_size(claimed_png(8_000, 8_000)) == (8_000, 8_000)
    path = tmp_path / "large.png"
    path.write_bytes(plain())
    monkeypatch.setattr(images, "MAX_BYTES", len(plain()))
    open_image(path)
    monkeypatch.setattr(images, "MAX_BYTES", len(plain()) - 1)
    with pytest.raises(BlindspotsError, match="larger than"):
        open_image(path)


def test_missing_file_and_folder_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(BlindspotsError, match="cannot be read"):
            open_image(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_bytes_never_raise_anything_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]))
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    content = bytearray(encoded(Image.fromarray(noise), kind))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        image = open_image(bytes(content))
    except BlindspotsError:
        return
    assert image.mode == "RGB"


def test_list_images_sorts_and_leaves_out(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpeg", "c.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(plain())
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.jpeg", "b.PNG", "c.webp"]
    with pytest.raises(BlindspotsError, match="not a folder"):
        list_images(tmp_path / "a.jpeg")
    with pytest.raises(BlindspotsError, match="holds no images"):
        list_images(tmp_path / "folder.png")


def test_encoding_is_deterministic_and_lossless_where_it_says_so() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    tagged = noise.copy()
    tagged.info["icc_profile"] = b"x" * 99
    assert encode_png(noise) == encode_png(tagged)
    webp = encode_webp(noise, lossless=True)
    assert webp == encode_webp(tagged, lossless=True)
    for content in (webp, encode_png(noise)):
        assert np.array_equal(np.asarray(open_image(content)), np.asarray(noise))
    assert open_image(encode_webp(noise, lossless=False, size=30)).size == (30, 20)
    assert open_image(encode_webp(noise, lossless=False, size=300)).size == (60, 40)
    assert len(encode_webp(noise, lossless=False, quality=20)) < len(webp)
