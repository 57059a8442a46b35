"""The HTTP client of sources against servers that mean no good."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import threading
from dataclasses import replace

import pytest

from koebin.producers.briefings.access_policy import Policy
from koebin.producers.briefings.sources.allowed_hosts import check_host
from koebin.producers.briefings.sources.base import SourceFailed
from koebin.producers.briefings.sources.fetch import fetch
from koebin.tasks.public_addresses import may_connect

LOCAL = ("127.0.0.1",)


def get(url: str, policy: Policy, hosts: tuple[str, ...] = LOCAL, timeout: float = 60.0, limit: int = 1 << 20) -> bytes:
    return asyncio.run(fetch(url, hosts=hosts, policy=policy, timeout=timeout, max_bytes=limit)).data


def test_a_page_comes_with_its_type(web, open_policy) -> None:
    url = web.page("/feed", "こんにちは".encode(), "text/plain; charset=utf-8")
    body = asyncio.run(fetch(url, hosts=LOCAL, policy=open_policy, timeout=60, max_bytes=100))
    assert (body.data.decode(), body.content_type) == ("こんにちは", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1", "240.0.0.1"),
        *("255.255.255.255", "192.0.2.1", "2001:db8::1", "::", "::ffff:10.0.0.1"),
        *("168.63.129.16", "192.0.0.192", "192.88.99.1", "fec0::1", "3fff::1", "2001::1", "2001:2::1", "5f00::1"),
        *("::a9fe:a9fe", "64:ff9b:1::a00:1", "100::1", "2002:a83f:8110::", "64:ff9b::a83f:8110", "::ffff:c000:c0"),
    ],
)
def test_private_and_reserved_addresses_are_refused(address: str) -> None:
    assert not may_connect(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_fine(address: str) -> None:
    assert may_connect(ipaddress.ip_address(address))


def test_an_allowed_network_allows_itself_only() -> None:
    networks = (ipaddress.ip_network("10.1.0.0/16"),)
    assert may_connect(ipaddress.ip_address("10.1.2.3"), networks)
    assert may_connect(ipaddress.ip_address("::ffff:10.1.2.3"), networks)
    assert not may_connect(ipaddress.ip_address("10.2.0.1"), networks)


@pytest.mark.parametrize(
    ("host", "patterns", "fine"),
    [
        ("www.example.jp", ("www.example.jp",), True),
        ("WWW.example.jp.", ("www.example.jp",), True),
        ("www.example.jp", ("*.example.jp",), True),
        ("example.jp", ("*.example.jp",), False),
        ("evil-example.jp", ("*.example.jp",), False),
        ("example.jp.evil.com", ("*.example.jp", "example.jp"), False),
        ("example.jp", (), False),
        ("example.jp", ("*",), True),
    ],
)
def test_host_patterns(host: str, patterns: tuple[str, ...], fine: bool) -> None:
    if fine:
        check_host(host, patterns)
    else:
        with pytest.raises(SourceFailed, match="not on the list"):
            check_host(host, patterns)


def test_a_local_address_is_never_connected_to(web) -> None:
    url = web.page("/feed", b"secret")
    with pytest.raises(SourceFailed, match="private, local or reserved"):
        get(url, Policy())
    assert web.requests == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "localhost"])
def test_other_spellings_of_the_loopback_are_refused(web, host: str) -> None:
    web.page("/feed", b"secret")
    with pytest.raises(SourceFailed):
        get(f"http://{host}:{web.port}/feed", Policy(), hosts=("*",))
    assert web.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_the_loopback_is_refused(web, status: int) -> None:
    """The first server counts as public here; the second is the same machine, under an address that is not allowed."""
    web.page("/secret", b"secret")
    policy = Policy(networks=(ipaddress.ip_network("127.0.0.1/32"),), resolve=lambda host, _: [host])
    url = web.redirect("/feed", f"http://127.0.0.2:{web.port}/secret", status)
    with pytest.raises(SourceFailed, match="private, local or reserved"):
        get(url, policy, hosts=("*",))
    assert [path for _, path in web.requests] == ["/feed"]


def test_a_redirect_to_a_host_that_is_not_listed_is_refused(web, open_policy) -> None:
    url = web.redirect("/feed", f"http://localhost:{web.port}/other")
    with pytest.raises(SourceFailed, match="'localhost' is not on the list"):
        get(url, open_policy)


def test_a_redirect_on_the_same_host_is_followed_and_a_circle_is_not(web, open_policy) -> None:
    web.page("/there", b"found")
    assert get(web.redirect("/here", "/there"), open_policy) == b"found"
    with pytest.raises(SourceFailed, match="redirects"):
        get(web.redirect("/circle", "/circle"), open_policy)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "data:,x"])
def test_only_http_and_https(web, open_policy, target: str) -> None:
    with pytest.raises(SourceFailed, match="only http and https"):
        get(target, open_policy)
    with pytest.raises(SourceFailed, match=r"only http and https|request failed"):
        get(web.redirect("/feed", target), open_policy)


def test_the_connection_goes_to_the_address_that_was_checked(web) -> None:
    """A name server that answers a public address first and the loopback next gains nothing: it is asked once."""
    answers = [["127.0.0.2", "127.0.0.1"], ["127.0.0.1"]]
    policy = Policy(networks=(ipaddress.ip_network("127.0.0.1/32"),), resolve=lambda *_: answers.pop(0))
    web.page("/feed", b"pinned")
    assert get(f"http://news.example.jp:{web.port}/feed", policy, hosts=("news.example.jp",)) == b"pinned"
    assert len(answers) == 1
    assert web.requests == [(f"news.example.jp:{web.port}", "/feed")]


def test_the_policy_narrows_the_hosts_of_a_briefing(web, open_policy) -> None:
    with pytest.raises(SourceFailed, match="not on the list"):
        get(web.page("/feed", b"x"), replace(open_policy, hosts=("*.example.jp",)))


def test_a_proxy_of_the_environment_is_not_used(web, open_policy, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert get(web.page("/feed", b"direct"), open_policy) == b"direct"


def test_a_feed_of_a_gigabyte_is_cut_off_at_the_limit(web, open_policy) -> None:
    url = web.endless("/feed", 1 << 30)
    with pytest.raises(SourceFailed, match="more than the limit of 1048576 bytes"):
        get(url, open_policy)
    assert web.sent < 32 << 20  # what fits into the sockets' buffers, not a gigabyte


def test_a_declared_gigabyte_is_not_even_read(web, open_policy) -> None:
    url = web.endless("/feed", 1 << 30, headers={"Content-Length": str(1 << 30)})
    with pytest.raises(SourceFailed, match="1073741824 bytes, more than the limit"):
        get(url, open_policy)


def test_a_gzip_bomb_is_inflated_no_further_than_the_limit(web, open_policy) -> None:
    url = web.gzip_bomb("/feed", 64)
    with pytest.raises(SourceFailed, match="more than the limit"):
        get(url, open_policy)


def test_honest_gzip_is_read_and_a_cut_one_is_not(web, open_policy) -> None:
    packed = gzip.compress(b"news")
    for path, body in (("/whole", packed), ("/cut", packed[:-6])):
        web.pages[path] = lambda body=body: (200, {"Content-Encoding": "gzip"}, iter([body]))
    assert get(web.url("/whole"), open_policy) == b"news"
    with pytest.raises(SourceFailed, match="truncated"):
        get(web.url("/cut"), open_policy)


def test_a_slow_server_is_given_up_in_time(web, open_policy) -> None:
    url = web.slow("/feed", 3600)
    with pytest.raises(SourceFailed, match=r"within 0\.2 seconds"):
        get(url, open_policy, timeout=0.2)


def test_a_name_server_that_hangs_is_given_up_in_time() -> None:
    answered = threading.Event()
    try:
        with pytest.raises(SourceFailed, match=r"within 0\.2 seconds"):
            get("http://news.example.jp/", Policy(resolve=lambda *_: answered.wait() or []), hosts=("*",), timeout=0.2)
    finally:
        answered.set()


@pytest.mark.parametrize("url", ["http://user:pass@127.0.0.1/", "http://", "http:///feed", "//x/", "http://[::1/"])
def test_addresses_that_are_none(open_policy, url: str) -> None:
    with pytest.raises(SourceFailed):
        get(url, open_policy, hosts=("*",))


def test_an_error_of_the_server_is_named(web, open_policy) -> None:
    with pytest.raises(SourceFailed, match="the server answers 503"):
        get(web.page("/feed", b"", status=503), open_policy)
    with pytest.raises(SourceFailed, match="request failed"):
        get("http://127.0.0.1:1/", open_policy)
