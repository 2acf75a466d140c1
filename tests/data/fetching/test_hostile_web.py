"""Fetching from hosts that mean harm: every answer has its cause, none hangs or grows."""

from __future__ import annotations

import gzip
import io
import shutil
import ssl
import struct
import subprocess
import time
import zlib
from collections import Counter
from itertools import repeat
from pathlib import Path

import pytest
from data_fixtures import encoded, plain
from PIL import Image
from web_fixtures import LoopbackWeb, Names, Pieces, http, picture

from blindspots_hub.benchmarks import memory
from blindspots_hub.data.fetching import robots_txt
from blindspots_hub.data.fetching.many import FromWeb, Web, fetch_images

GOOD = picture(1)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
MOST = 200_000


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims these pixels in a few hundred bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def gif_of(width: int, height: int) -> bytes:
    """A GIF whose screen and frame claim these pixels."""
    content = encoded(Image.new("P", (7, 9)), "GIF")
    return content.replace(struct.pack("<HH", 7, 9), struct.pack("<HH", width, height))


def many_scans() -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(GOOD)).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    start = content.index(b"\xff\xda")
    return content[:start] + content[start:-2] * 50 + content[-2:]


def drip(content: bytes, pause: float) -> Pieces:
    yield http(b"", length=len(content))
    for byte in content:
        yield bytes([byte])
        yield pause


def informed() -> Pieces:
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n"
        yield 0.02


def endless(piece: bytes, start: bytes) -> Pieces:
    yield start
    yield from repeat(piece)


BOMB = gzip.compress(bytes(50_000_000))
DEFLATED = zlib.compress(bytes(50_000_000))
SCANS, LARGE = many_scans(), png_of(7_000, 7_000)
BOMBS = gzip.compress(BOMB)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNSIZED = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"


def site(path: str, before: int) -> bytes | Pieces:
    kind = path.partition("?")[0].strip("/")
    answers: dict[str, object] = {
        "good": lambda: http(GOOD),
        "wrong-type": lambda: http(GOOD, Content_Type="text/html"),
        "no-length": lambda: UNSIZED + GOOD,
        "gzip-good": lambda: http(gzip.compress(GOOD), Content_Encoding="gzip"),
        "loop": lambda: http(status="302 Found", Location="/loop"),
        "far": lambda: http(status="302 Found", Location=f"/far?{before}"),
        "inside": lambda: http(status="302 Found", Location="http://169.254.169.254/latest"),
        "home": lambda: http(status="301 Moved", Location="http://127.0.0.1:1/"),
        "file": lambda: http(status="302 Found", Location="file:///etc/passwd"),
        "nowhere": lambda: http(status="302 Found"),
        "redirected": lambda: http(status="307 Temporary", Location="http://b.test:PORT/good"),
        "drip": lambda: drip(GOOD, 0.2),
        "silent": lambda: iter([60.0]),
        "reset": lambda: iter([None]),
        "half": lambda: http(GOOD[:300], length=len(GOOD)),
        "longer": lambda: http(GOOD + b"HTTP/1.1 200 OK\r\n\r\nx", length=len(GOOD)),
        "endless": lambda: endless(bytes(65536), UNSIZED),
        "endless-chunks": lambda: endless(b"10000\r\n" + bytes(65536) + b"\r\n", CHUNKED),
        "claims": lambda: http(b"x", length=10**12),
        "negative": lambda: b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc",
        "two-lengths": lambda: http(b"xy", Content_Length="9"),
        "bomb": lambda: http(BOMB, Content_Encoding="gzip"),
        "bomb-in-bomb": lambda: http(BOMBS, Content_Encoding="gzip, gzip"),
        "deflate-bomb": lambda: http(DEFLATED, Content_Encoding="deflate"),
        "no-gzip": lambda: http(GOOD, Content_Encoding="gzip"),
        "half-gzip": lambda: http(gzip.compress(GOOD)[:-20], Content_Encoding="gzip"),
        "brotli": lambda: http(GOOD, Content_Encoding="br"),
        "png-bomb": lambda: http(png_of(60_000, 60_000)),
        "png-large": lambda: http(LARGE),
        "png-lies": lambda: http(png_of(2_000, 2_000)),
        "gif-bomb": lambda: http(gif_of(65_535, 65_535)),
        "scans": lambda: http(SCANS),
        "thin": lambda: http(encoded(Image.new("RGB", (900, 40), "red"))),
        "small": lambda: http(picture(2, 16)),
        "blank": lambda: http(plain(size=(64, 64))),
        "svg": lambda: http(SVG, Content_Type="image/svg+xml"),
        "html": lambda: http(b"<html>not here</html>", Content_Type="image/jpeg"),
        "tiff": lambda: http(picture(3, kind="TIFF")),
        "empty": lambda: http(b""),
        "torn": lambda: http(GOOD[: len(GOOD) // 2]),
        "partial": lambda: http(GOOD, status="206 Partial Content", Content_Range="bytes 0-9/10"),
        "none": lambda: http(b"no", status="404 Not Found"),
        "gone": lambda: http(b"", status="410 Gone"),
        "odd": lambda: http(GOOD, status="299 Odd"),
        "not-modified": lambda: b"HTTP/1.1 304 Not Modified\r\n\r\n",
        "flood": lambda: http(GOOD, **{f"X_{i}": "y" for i in range(500)}),
        "flood-endless": lambda: endless(b"X-A: " + b"y" * 1000 + b"\r\n", b"HTTP/1.1 200 OK\r\n"),
        "informed": lambda: informed(),
        "garbage": lambda: b"\x00\xff no HTTP at all\r\n\r\n",
        "http09": lambda: GOOD,
        "switching": lambda: b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        "noai": lambda: http(GOOD, X_Robots_Tag="noindex, NoAI"),
        "noimageai": lambda: http(GOOD, X_Robots_Tag="img2dataset: noimageai"),
        "other-bot": lambda: http(GOOD, X_Robots_Tag="googlebot: noai"),
        "busy": lambda: http(status="503 Busy") if before < 1 else http(GOOD),
        "later": lambda: http(status="429 Slow", Retry_After="3600"),
    }  # fmt: skip
    return answers[kind]()  # type: ignore[no-any-return,operator]


EXPECTED = {
    "good": None, "wrong-type": None, "no-length": None, "gzip-good": None, "longer": None,
    "other-bot": None, "busy": None, "redirected": None,
    "loop": "too_many_redirects", "far": "too_many_redirects", "inside": "forbidden_address",
    "home": "forbidden_address", "file": "bad_redirect", "nowhere": "bad_redirect",
    "drip": "timed_out", "silent": "timed_out", "reset": "connection_failed", "half": "cut_short",
    "endless": "too_large", "endless-chunks": "too_large", "claims": "too_large",
    "negative": "bad_response", "two-lengths": "bad_response", "bomb": "too_large",
    "bomb-in-bomb": "bad_encoding", "deflate-bomb": "too_large", "no-gzip": "bad_encoding",
    "half-gzip": "bad_encoding", "brotli": "bad_encoding", "png-bomb": "too_many_pixels",
    "png-large": "too_many_pixels", "png-lies": "image_damaged", "gif-bomb": "too_many_pixels",
    "scans": "image_damaged", "thin": "too_thin", "small": "too_small", "blank": "blank",
    "svg": "not_an_image", "html": "not_an_image", "tiff": "not_an_image", "empty": "empty",
    "torn": "image_damaged", "partial": "partial_content", "none": "http_error",
    "gone": "http_error", "odd": "http_error", "not-modified": "http_error",
    "flood": "bad_response", "flood-endless": "bad_response", "informed": "bad_response",
    "garbage": "bad_response", "http09": "bad_response", "switching": "bad_response",
    "noai": "opted_out", "noimageai": "opted_out", "later": "http_error",
}  # fmt: skip


def outcomes(urls: list[str], web: Web) -> dict[str, object]:
    return {urls[place]: found for place, found in fetch_images(urls, web)}


def cause(found: object) -> str | None:
    return None if isinstance(found, FromWeb) else found.cause  # type: ignore[attr-defined]


@pytest.fixture
def hosts():  # type: ignore[no-untyped-def]
    port = 0

    def here(path: str, before: int) -> bytes | Pieces:
        answer = site(path, before)
        return answer.replace(b"PORT", str(port).encode()) if isinstance(answer, bytes) else answer

    with LoopbackWeb(here) as web:
        port = web.port
        yield web


def test_every_kind_of_answer_has_its_cause(hosts: LoopbackWeb) -> None:
    urls = [hosts.url(f"/{kind}", f"{kind}.test") for kind in EXPECTED]
    web = hosts.web(
        max_bytes=MOST, max_scans=30, tries=2, read_seconds=3.0, total_seconds=10.0, connections=8
    )
    found = outcomes(urls, web)
    told = dict(zip(EXPECTED, (cause(found[url]) for url in urls), strict=True))
    assert told == EXPECTED
    busy = found[hosts.url("/busy", "busy.test")]
    assert isinstance(busy, FromWeb)
    assert busy.tries == 2
    moved = found[hosts.url("/redirected", "redirected.test")]
    assert isinstance(moved, FromWeb)
    assert (moved.redirects, moved.url) == (1, hosts.url("/good", "b.test"))
    assert all(one.image.content == GOOD for one in found.values() if isinstance(one, FromWeb))


def test_a_thousand_hostile_answers_neither_hang_nor_grow(hosts: LoopbackWeb) -> None:
    kinds = [kind for kind in EXPECTED if kind not in ("drip", "silent", "informed")]
    names = [(kind, f"/{kind}?{i}", f"{kind}{i % 7}.test") for i in range(20) for kind in kinds]
    urls = [hosts.url(path, host) for _, path, host in names]
    assert len(urls) >= 1000
    web = hosts.web(max_bytes=MOST, max_scans=30, tries=1, connections=16)
    told: Counter[str | None] = Counter()

    def fetch() -> None:
        for _, found in fetch_images(urls, web):
            told[cause(found)] += 1

    if memory.known():
        assert (
            memory.raised_by(fetch) < 300e6
        )  # what the server, in this process too, holds included
    else:
        fetch()
    assert sum(told.values()) == len(urls)


def test_names_that_lead_inside_are_refused(hosts: LoopbackWeb) -> None:
    names = Names(
        {
            "private.test": ["10.0.0.1"],
            "loopback.test": ["::1"],
            "mapped.test": ["::ffff:192.168.0.1"],
            "metadata.test": ["169.254.169.254"],
            "mixed.test": ["127.0.0.1", "192.168.0.1"],
            "changes.test": [["127.0.0.1"], ["10.0.0.1"]],
            "mapped-here.test": ["::ffff:127.0.0.1"],
            "none.test": [],
        }
    )
    hosts.site = lambda path, before: (
        http(status="302 Found", Location="/good") if path == "/again" else http(GOOD)
    )
    asked = {name: hosts.url("/good", f"{name}.test") for name in (
        "private", "loopback", "mapped", "metadata", "mixed", "none", "mapped-here")}  # fmt: skip
    asked["changes"] = hosts.url("/again", "changes.test")
    asked["number"] = "http://127.0.0.1:9/x"
    asked["other port"] = f"http://127.0.0.1:{hosts.port + 1 if hosts.port < 65535 else 1024}/"
    asked["unknown"] = hosts.url("/good", "nowhere.example")
    found = outcomes(list(asked.values()), hosts.web(names))
    told = {name: cause(found[url]) for name, url in asked.items()}
    refused = "forbidden_address"
    assert told == {
        **dict.fromkeys(("private", "loopback", "mapped", "metadata", "mixed"), refused),
        # Asked anew for the redirect's own connection, and refused then.
        **dict.fromkeys(("changes", "number", "other port"), refused),
        "none": "name_unknown", "unknown": "name_unknown", "mapped-here": None,
    }  # fmt: skip


def test_nothing_of_ones_own_goes_along(
    hosts: LoopbackWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    hosts.site = lambda path, before: (
        http(status="302 Found", Location="/b", Set_Cookie="a=b") if path == "/a" else http(GOOD)
    )
    found = outcomes([hosts.url("/a"), hosts.url("/c")], hosts.web())
    assert [cause(one) for one in found.values()] == [None, None]
    assert len(hosts.requests) == 4, "robots.txt, once, and three"
    for request in hosts.requests:
        sent = {line.split(b":")[0].lower() for line in request.split(b"\r\n")[1:] if line}
        assert sent == {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}


def test_a_host_is_given_few_connections_and_its_pause(hosts: LoopbackWeb) -> None:
    def slowly(path: str, before: int) -> bytes | Pieces:
        if path == "/limited" and before == 0:
            return http(status="429 Too Many", Retry_After="1")
        return iter([0.02, http(GOOD)])

    hosts.site = slowly
    urls = [hosts.url(f"/{i}", f"h{i % 2}.test") for i in range(40)]
    start = time.monotonic()
    found = outcomes([*urls, hosts.url("/limited", "l.test")], hosts.web(per_host=2))
    assert all(isinstance(one, FromWeb) for one in found.values())
    assert max(hosts.at_once.values()) == 2
    assert time.monotonic() - start >= 1  # what it asked for was waited


def test_opt_outs_are_respected_unless_a_program_says_otherwise(hosts: LoopbackWeb) -> None:
    url = hosts.url("/noai")
    assert cause(outcomes([url], hosts.web())[url]) == "opted_out"
    assert cause(outcomes([url], hosts.web(opt_outs=()))[url]) is None


def test_what_robots_txt_forbids_is_left_alone(hosts: LoopbackWeb) -> None:
    hosts.robots = {
        "no.test": http(b"User-agent: *\nDisallow: /\n"),
        "us.test": http(b"User-agent: Blindspots-Hub\nDisallow: /good\n\nUser-agent: *\nAllow: /"),
        "kind.test": http(b"User-agent: img2dataset\nDisallow: /good"),
        "others.test": http(b"User-agent: googlebot\nDisallow: /"),
        "part.test": http(b"User-agent: *\nDisallow: /private\n"),
    }
    names = [name for name in hosts.robots for _ in range(5)]
    urls = [hosts.url(f"/good?{i}", name) for i, name in enumerate(names)]
    urls += [hosts.url("/private/x", "part.test"), hosts.url("/good", "without.test")]
    found = outcomes(urls, hosts.web())
    causes = [cause(found[url]) for url in urls]
    assert causes == ["robots_txt"] * 15 + [None] * 10 + ["robots_txt", None]
    assert not any(path in hosts.asked for path in ("/private/x", "/good?0", "/good?5"))
    assert set(hosts.robots_asked.values()) == {1}, "each host is asked once"
    assert set(map(cause, outcomes(urls[:5], hosts.web(robots_txt=False)).values())) == {None}


def test_a_redirect_does_not_lead_around_robots_txt(hosts: LoopbackWeb) -> None:
    hosts.robots["no.test"] = http(b"User-agent: *\nDisallow: /")
    there = hosts.url("/good", "no.test")
    hosts.site = lambda path, before: http(status="302 Found", Location=there)
    url = hosts.url("/x", "a.test")
    assert cause(outcomes([url], hosts.web())[url]) == "robots_txt"
    assert "/good" not in hosts.asked


def test_a_robots_txt_that_cannot_be_read_allows_all(
    hosts: LoopbackWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robots_txt, "SECONDS", 0.5)
    rule = b"User-agent: *\nDisallow: /\n"
    away = hosts.url("/robots.txt", "loop.test")
    hosts.robots = {
        "slow.test": drip(rule * 50, 0.1),
        "cut.test": http(rule, length=1000),
        "long.test": http(rule + b"#" * robots_txt.MAX_BYTES),
        "error.test": http(rule, status="503 Busy"),
        "empty.test": http(b""),
        "broken.test": http(rule + b"Disallow: //[x\n"),
        "bytes.test": http(bytes(range(256)) * 20),
        "loop.test": http(status="302 Found", Location=away),
        "reset.test": iter([None]),
        "inside.test": http(status="302 Found", Location="http://169.254.169.254/latest"),
    }
    urls = [hosts.url("/good", name) for name in hosts.robots]
    assert [cause(one) for one in outcomes(urls, hosts.web()).values()] == [None] * len(urls)


def test_whoever_stops_listening_stops_the_fetching(hosts: LoopbackWeb) -> None:
    def forever():  # type: ignore[no-untyped-def]
        number = 0
        while True:
            yield hosts.url(f"/good?{number}", f"h{number % 50}.test")
            number += 1

    work = fetch_images(forever(), hosts.web(in_flight=16))
    for _ in range(30):
        next(work)
    work.close()
    asked = sum(hosts.asked.values())
    assert asked < 500
    time.sleep(0.2)
    assert sum(hosts.asked.values()) <= asked + 16


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_certificates_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
         certificate, "-days", "2", "-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:a.test"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with LoopbackWeb(lambda path, before: http(GOOD), context) as hosts:
        urls = [hosts.url("/x", name).replace("http", "https", 1) for name in ("a.test", "b.test")]
        assert {cause(one) for one in outcomes(urls, hosts.web()).values()} == {"tls_failed"}
        monkeypatch.setattr("certifi.where", lambda: str(certificate))
        found = outcomes(urls, hosts.web())
        assert [cause(found[url]) for url in urls] == [None, "tls_failed"], "the name counts"
