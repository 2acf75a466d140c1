"""How much of the network, of time and of memory fetching may take."""

from __future__ import annotations

from dataclasses import dataclass

from blindspots_hub.data.images import FORMATS

WEB_FORMATS = tuple(kind for kind in FORMATS if kind != "TIFF")
"""Pillow's names of the formats that are taken from the web: what browsers show, and never SVG."""


@dataclass(frozen=True)
class FetchLimits:
    """Bounds of fetching; the defaults are the project's own (METHOD, "Pairs from the web").

    Attributes:
        connections: connections at once.
        per_host: connections at once to one host.
        connect_seconds: for a look-up and a connection, and for TLS.
        read_seconds: without a byte.
        total_seconds: of one try, redirects and body included.
        tries: of one address, where a failure may pass.
        wait_seconds: before the second try; doubled for each further one, with jitter.
        longest_wait: longest that `Retry-After` is waited for; longer is given up.
        redirects: followed at most.
        headers: header fields of an answer.
        max_bytes: of a file, as sent and as decompressed.
        max_pixels: of an image, from its header.
        max_aspect: longer side over shorter.
        min_side: shorter side in pixels.
        max_scans: of a progressive JPEG; each costs a pass over the whole image.
        in_flight: addresses under way, waiting ones included.
        ahead: how far the first may be ahead of the last one that is not done.
        opt_outs: directives of `X-Robots-Tag` that are respected; none where empty.
        robots_txt: whether what a host's robots.txt forbids is left alone.
    """

    connections: int = 64
    per_host: int = 4
    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    total_seconds: float = 20.0
    tries: int = 3
    wait_seconds: float = 0.5
    longest_wait: float = 30.0
    redirects: int = 5
    headers: int = 100
    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 25_000_000
    max_aspect: float = 5.0
    min_side: int = 32
    max_scans: int = 100
    in_flight: int = 192
    ahead: int = 2048
    opt_outs: tuple[str, ...] = ("noai", "noimageai")
    robots_txt: bool = True
