"""Which addresses of the internet may be connected to: those that belong to everybody.

Sources: the special-purpose registries of IANA (RFC 6890 and what came after), RFC 6052 (NAT64),
RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NO_V4 = tuple(
    IPv4Network(one)
    for one in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by a provider's customers; some clouds' metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's own agent, on a public address
        "169.254.0.0/16",  # link-local, clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)

_GLOBAL_V6 = IPv6Network("2000::/3")
"""All that is handed out for use between networks; everything else is special."""

_NO_V6 = tuple(
    IPv6Network(one)
    for one in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4: leads to whatever IPv4 address stands in it
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")
_MAPPED = IPv6Network("::ffff:0:0/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


@lru_cache(maxsize=1024)  # each connection asks for its address twice
def is_public(address: str) -> bool:
    """Whether `address`, as numbers, is one of the public internet's.

    False for private, loopback, link-local, shared, reserved, multicast and documentation
    addresses and those of clouds' metadata, in IPv4, in IPv6, and in IPv6 that stands for IPv4
    (mapped, NAT64 under its well-known prefix); for 6to4, Teredo and ISATAP altogether; and for
    what is no address.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if "%" in address:  # bound to one network card
        return False
    if isinstance(found, IPv4Address):
        return not any(found in network for network in _NO_V4)
    if found in _MAPPED or found in _NAT64:
        return is_public(str(IPv4Address(int(found) & 0xFFFFFFFF)))
    isatap = (int(found) >> 32) & 0xFFFFFFFF in _ISATAP
    return found in _GLOBAL_V6 and not isatap and not any(found in network for network in _NO_V6)


def plain(address: str) -> str:
    """The address as it is connected to: IPv4 where IPv6 merely maps it."""
    found = ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)
