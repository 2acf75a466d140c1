from __future__ import annotations

import pytest

from blindspots_hub.data.fetching.addresses import is_public
from blindspots_hub.data.fetching.causes import NoFetch
from blindspots_hub.data.fetching.network import Reach
from blindspots_hub.data.fetching.urls import redirected, target_of


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.1"),
        *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1", "192.0.2.1"),
        *("198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "168.63.129.16", "192.0.0.192", "192.88.99.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "100::1"),
        *("2002:7f00:1::1", "2002:a00:1::1", "2002:808:808::1", "2001::1", "2001:db8::1"),
        *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "3fff::1", "5f00::1", "4000::1"),
        *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:7f00:1"),
        *("", "localhost", "1.2.3", "0x7f000001", "127.1", "2130706433", "not an address"),
    ],
)
def test_what_is_not_everybodys_is_refused(address: str) -> None:
    assert not is_public(address)
    assert not Reach().allows(address, 80)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "93.184.216.34", "172.32.0.1", "100.63.0.1", "2606:4700::1111"),
        *("2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
    ],
)
def test_public_addresses_are_allowed_on_ports_of_the_web(address: str) -> None:
    assert is_public(address)
    assert all(Reach().allows(address, port) for port in (80, 443, 8080, 65000))
    assert not any(Reach().allows(address, port) for port in (22, 25, 21, 445, 1))


def test_one_port_of_this_machine_can_be_allowed_by_a_program() -> None:
    reach = Reach([("127.0.0.1", 5000)])
    assert reach.allows("127.0.0.1", 5000)
    assert not reach.allows("127.0.0.1", 5001)
    assert not reach.allows("127.0.0.2", 5000)


@pytest.mark.parametrize(
    "url",
    [
        *(None, 3, "", "  ", "ftp://a.test/x", "file:///etc/passwd", "gopher://a.test", "a.test/x"),
        *("http://", "http:///x", "http://user@a.test/", "http://u:p@a.test/", "http://a.test:0/"),
        *("http://a.test:99999/", "http://a test/", "http://a..test/", "http://[::1/", "//a.test"),
        *("http://a.test/\r\nX: y", "http://a.test/\x00", "http://" + "a" * 9000, "javascript:1"),
        *("data:image/png;base64,AAAA", "http://-/", "http://a.test\\@b.test/"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused(url: object) -> None:
    with pytest.raises(NoFetch) as caught:
        target_of(url)
    assert caught.value.cause == "bad_url"


def test_addresses_are_taken_apart_as_browsers_do() -> None:
    target = target_of(" HTTPS://Bücher.Example:443/a b/ü?q=ä&x=%20#part ")
    assert (target.scheme, target.host, target.port) == ("https", "xn--bcher-kva.example", 443)
    assert target.path == "/a%20b/%C3%BC?q=%C3%A4&x=%20"
    assert target.authority == "xn--bcher-kva.example"
    assert target_of("http://[2606:4700::1]:8080").authority == "[2606:4700::1]:8080"
    assert redirected(target, "/c").url == "https://xn--bcher-kva.example/c"
    assert redirected(target, "//other.example/d").host == "other.example"
    for nowhere in ("ftp://a.test", "file:///etc/passwd", "http://u@a.test/"):
        with pytest.raises(NoFetch, match=r".") as caught:
            redirected(target, nowhere)
        assert caught.value.cause == "bad_redirect"
