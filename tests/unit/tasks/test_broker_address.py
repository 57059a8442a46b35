"""Every form of a broker's URL, and every mistake in one, named without its secrets."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from koebin.engine.display import mask
from koebin.engine.errors import ConfigurationError
from koebin.tasks.broker.celery_config import configure
from koebin.tasks.broker_address import BrokerAddress, Tls, parse_broker_url
from koebin.tasks.settings import Settings
from koebin.worker.celery_ext.app import create_app

SECRET = "p@ss/w#rd?:%"
QUOTED = "p%40ss%2Fw%23rd%3F%3A%25"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", BrokerAddress((("h", 6379),))),
        ("redis://", BrokerAddress((("localhost", 6379),))),
        ("redis://h:1/2", BrokerAddress((("h", 1),), database=2)),
        ("redis://h:1?db=3", BrokerAddress((("h", 1),), database=3)),
        (f"redis://u:{QUOTED}@h:1/2", BrokerAddress((("h", 1),), database=2, user="u", password=SECRET)),
        (f"redis://:{QUOTED}@[::1]:7", BrokerAddress((("::1", 7),), password=SECRET)),
        ("rediss://h/1", BrokerAddress((("h", 6379),), database=1, tls=Tls())),
        ("rediss://h?ssl_cert_reqs=none", BrokerAddress((("h", 6379),), tls=Tls(ssl.CERT_NONE))),
        ("rediss://h?ssl_cert_reqs=CERT_OPTIONAL", BrokerAddress((("h", 6379),), tls=Tls(ssl.CERT_OPTIONAL))),
        ("rediss://h?ssl_check_hostname=false", BrokerAddress((("h", 6379),), tls=Tls(check_hostname=False))),
        ("unix:///run/a%20b.sock", BrokerAddress(socket_path="/run/a b.sock")),
        ("unix:///run/r.sock?db=4", BrokerAddress(socket_path="/run/r.sock", database=4)),
        ("redis+socket:///run/r.sock?virtual_host=4", BrokerAddress(socket_path="/run/r.sock", database=4)),
        (f"unix://u:{QUOTED}@/run/r.sock", BrokerAddress(socket_path="/run/r.sock", user="u", password=SECRET)),
        ("sentinel://a:1;sentinel://b:2/3#main", BrokerAddress((("a", 1), ("b", 2)), database=3, master="main")),
        ("sentinel://a;b", BrokerAddress((("a", 26379), ("b", 26379)), master="mymaster")),
        (
            f"sentinel://u:{QUOTED}@a:1;sentinel://b:2/3?sentinel_username=s&sentinel_password=x#m",
            BrokerAddress(
                (("a", 1), ("b", 2)),
                database=3,
                user="u",
                password=SECRET,
                master="m",
                sentinel_user="s",
                sentinel_password="x",
            ),
        ),
        ("sentinel://a:1/0?ssl=true#m", BrokerAddress((("a", 1),), master="m", tls=Tls())),
    ],
)
def test_every_form_is_read(url: str, address: BrokerAddress) -> None:
    assert parse_broker_url(url) == address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:6379", "no scheme"),
        ("http://localhost:6379", "no Redis URL: 'http'"),
        ("redis-cluster://a", "Redis Cluster"),
        ("redis://h:65536", "port"),
        ("redis://h:0", "port 0"),
        ("redis://h:abc/0", "port"),
        ("redis://h/main", "database that is no number: 'main'"),
        ("redis://h/-1", "database"),
        ("redis://h/0?timeout=5", "not known: 'timeout'"),
        ("rediss://h/0?ssl_cert_req=none", "Did you mean ssl_cert_reqs"),
        ("redis://h/0?ssl_cert_reqs=none", "rediss://"),
        ("rediss://h/0?ssl_cert_reqs=maybe", "ssl_cert_reqs"),
        ("rediss://h/0?ssl_ca_certs=/no/such/file.pem", "/no/such/file.pem"),
        ("rediss://h/0?ssl_check_hostname=perhaps", "ssl_check_hostname"),
        ("unix://run/redis.sock", "three slashes"),
        ("unix:///", "three slashes"),
        ("sentinel://a:1;redis://b:2", "mixes"),
        ("redis://h/0 ", "white space"),
        ("redis://h/0#x", "%23"),
        ("redis://:hunter2/x@h:6379/0", "%2F"),
        ("redis://:hunter2#x@h:6379/0", "%23"),
        ("redis://:hunter2?x@h:6379/0", "%3F"),
        ("redis://h/0\n", "white space"),
        ("redis://\udcff/0", "no URL has"),
    ],
)
def test_every_mistake_is_named_and_no_secret_is(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_broker_url(url)
    assert said in str(caught.value)
    assert "KOEBIN_BROKER_URL" in str(caught.value)
    assert caught.value.hint
    assert "hunter2" not in str(caught.value) + repr(caught.value)


def test_a_mistake_in_the_result_backend_is_told_by_its_name() -> None:
    with pytest.raises(ConfigurationError, match="KOEBIN_RESULT_BACKEND"):
        create_app(Settings(broker_url="redis://h/0", result_backend="redis://h/zero"))


@pytest.mark.parametrize(
    "url",
    [
        f"redis://u:{QUOTED}@h:1/2",
        f"unix://u:{QUOTED}@/run/a%20b.sock?db=2",
        f"sentinel://u:{QUOTED}@a:1;sentinel://u:{QUOTED}@b:2/2#m",
        "redis://[::1]:7/1",
    ],
)
def test_what_celery_is_handed_means_the_same(url: str) -> None:
    address = parse_broker_url(url)
    again = parse_broker_url(address.celery_url() + (f"#{address.master}" if address.master else ""))
    assert again == address


def test_tls_is_verified_for_every_connection_unless_the_url_says_otherwise(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    for url, required in ((f"rediss://h/0?ssl_ca_certs={authority}", True), ("rediss://h/0?ssl_cert_reqs=none", False)):
        app = create_app(Settings(broker_url=url))
        for options in (app.conf.broker_use_ssl, app.conf.redis_backend_use_ssl):
            assert options["ssl_cert_reqs"] is (ssl.CERT_REQUIRED if required else ssl.CERT_NONE)
            assert options["ssl_check_hostname"] is required
        assert app.backend.connparams["ssl_cert_reqs"] is (ssl.CERT_REQUIRED if required else ssl.CERT_NONE)
        assert app.backend.connparams["ssl_check_hostname"] is required


def test_every_socket_of_celery_has_its_time_limits() -> None:
    app = create_app(Settings(broker_url="redis://h/0"))
    assert 0 < app.conf.broker_transport_options["socket_timeout"] <= 30
    assert app.conf.broker_transport_options["socket_keepalive"]
    assert 0 < app.conf.redis_socket_timeout <= 30
    assert app.backend.connparams["socket_timeout"] == app.conf.redis_socket_timeout


def test_sentinels_and_their_own_login_reach_celery() -> None:
    app = create_app(Settings())
    configure(app, broker="sentinel://a:1/0?sentinel_password=x#voices", result_backend="", visibility_timeout=30.0)
    for options in (app.conf.broker_transport_options, app.conf.result_backend_transport_options):
        assert options["master_name"] == "voices"
        assert options["sentinel_kwargs"]["password"] == "x"


def test_passwords_of_several_sentinels_are_masked() -> None:
    shown = mask("sentinel://u:hunter2@a:1;sentinel://u:hunter2@b:2/0?sentinel_password=hunter2#m")
    assert "hunter2" not in shown
    assert "a:1" in shown
    assert "b:2" in shown
    assert "hunter2" not in mask("redis://u:1/hunter2@h")
