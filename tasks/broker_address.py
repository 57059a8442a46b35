"""Addresses of the broker: every form of URL that is understood, taken apart once for all who connect.

```
redis://[user:password@]host[:port][/db]          plain
rediss://…                                        TLS, the certificate verified
unix:///path/to.sock[?db=N]                       a socket (also redis+socket://)
sentinel://[user:password@]host[:port];sentinel://…/db#master
```

Celery, kombu and redis-py each read such URLs in their own way. So they are handed what was read here.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from koebin.engine.checked_names import nearest
from koebin.engine.errors import ConfigurationError

FORMS: Final = "Use redis://host:6379/0, rediss://…, unix:///path/to.sock or sentinel://host:26379/0#master"
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0
"""Longer than any command of ours takes; a connection that was dropped without a word is noticed after it."""
HEALTH_SECONDS: Final = 10
"""A connection that was idle for longer is tried with a PING before it is used."""

_SCHEMES: Final = {"redis", "rediss", "unix", "redis+socket", "socket", "sentinel"}
_SOCKET_SCHEMES: Final = {"unix", "redis+socket", "socket"}
_CLUSTER_SCHEMES: Final = {"redis-cluster", "rediss-cluster", "redis+cluster", "rediscluster"}
_TLS_PARAMETERS: Final = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile")
_SENTINEL_PARAMETERS: Final = ("master_name", "sentinel_password", "sentinel_username", "ssl")
_REQUIREMENTS: Final = {
    "required": ssl.CERT_REQUIRED,
    "cert_required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "cert_optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
    "cert_none": ssl.CERT_NONE,
}
_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_MAX_DATABASE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Tls:
    """How the server proves who it is, and how we do.

    Attributes:
        requirement: of ``ssl.CERT_REQUIRED`` and its kin.
        check_hostname: whether the certificate must be the host's.
        authorities: file of the certificates that are trusted; "" trusts the system's.
        certificate, key: files of our own; "" shows none.
    """

    requirement: ssl.VerifyMode = ssl.CERT_REQUIRED
    check_hostname: bool = True
    authorities: str = ""
    certificate: str = ""
    key: str = ""

    def options(self) -> dict[str, Any]:
        """As redis-py, kombu and Celery take them."""
        given = {"ssl_ca_certs": self.authorities, "ssl_certfile": self.certificate, "ssl_keyfile": self.key}
        checked = self.check_hostname and self.requirement is not ssl.CERT_NONE
        return {
            "ssl_cert_reqs": self.requirement,
            "ssl_check_hostname": checked,
            **{name: value for name, value in given.items() if value},
        }


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and who we are there.

    Attributes:
        hosts: names and ports: one server's, or those of the sentinels.
        socket_path: of a server on this machine, "" for one that is reached by TCP.
        master: the name under which the sentinels know the server, "" without sentinels.
        tls: None without TLS.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    socket_path: str = ""
    database: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    master: str = ""
    sentinel_user: str = field(default="", repr=False)
    sentinel_password: str = field(default="", repr=False)
    tls: Tls | None = None

    def celery_url(self) -> str:
        """The same in the one form that kombu and Celery's result backend agree on; TLS is handed to them apart."""
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user or self.password else ""
        if self.socket_path:
            return f"redis+socket://{login}{quote(self.socket_path)}?virtual_host={self.database}"
        scheme = "sentinel" if self.master else "rediss" if self.tls else "redis"
        # kombu takes the first one's credentials and database, other libraries the last one's: all have them.
        return ";".join(f"{scheme}://{login}{_bracketed(host)}:{port}/{self.database}" for host, port in self.hosts)

    def transport_options(self) -> dict[str, Any]:
        """What kombu and Celery's result backend need to know beside the URL."""
        if not self.master:
            return {}
        return {"master_name": self.master, "sentinel_kwargs": self.sentinel_options()}

    def socket_options(self) -> dict[str, Any]:
        """Time limits and keepalive of every connection, in the names of redis-py and kombu."""
        if self.socket_path:
            return {"socket_timeout": ANSWER_SECONDS}
        return {
            "socket_timeout": ANSWER_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
            "socket_keepalive_options": keepalive_options(),
        }

    def sentinel_options(self) -> dict[str, Any]:
        """Of the connections to the sentinels themselves."""
        options = self.socket_options()
        if self.sentinel_password:
            options["password"] = self.sentinel_password
        if self.sentinel_user:
            options["username"] = self.sentinel_user
        if self.tls is not None:
            options |= {"ssl": True, **self.tls.options()}
        return options


def keepalive_options() -> dict[int, int]:
    """Ask a silent peer after 15 s whether it is there, and give it up after three questions; as far as this
    system can."""
    wanted = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


def parse_broker_url(url: str, setting: str = "KOEBIN_BROKER_URL") -> BrokerAddress:
    """Take a URL apart.

    Args:
        setting: the name of the variable that holds it, for messages.

    Raises:
        ConfigurationError: what is wrong with it; no part that may be a secret is repeated.
    """
    return _Reader(setting).read(url)


class _Reader:
    """Reads one URL; every mistake is named with the setting."""

    def __init__(self, setting: str) -> None:
        self._setting = setting

    def read(self, url: str) -> BrokerAddress:
        scheme, separator, _ = url.partition("://")
        if not _is_clean(url):
            raise self._wrong("holds white space or a character that no URL has", "Percent-encode it, or remove it")
        if not separator:
            raise self._wrong("has no scheme", FORMS)
        if scheme in _CLUSTER_SCHEMES:
            raise self._wrong("names a Redis Cluster, which Celery's transport cannot use", FORMS)
        if scheme not in _SCHEMES:
            raise self._wrong("is no Redis URL", FORMS, _plain(scheme))
        if scheme in _SOCKET_SCHEMES:
            return self._socket(url, scheme)
        if scheme == "sentinel":
            return self._sentinel(url)
        return self._server(url, scheme)

    def _server(self, url: str, scheme: str) -> BrokerAddress:
        parts = self._split(url)
        if parts.fragment:
            raise self._wrong("holds a '#'", "Write %23 for one in a password; only sentinel:// has a fragment")
        allowed = ("db", "virtual_host", *(_TLS_PARAMETERS if scheme == "rediss" else ()))
        query = self._query(parts, allowed)
        return BrokerAddress(
            hosts=(self._host(parts, 6379),),
            database=self._database(parts.path, query),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=self._tls(query) if scheme == "rediss" else None,
        )

    def _socket(self, url: str, scheme: str) -> BrokerAddress:
        parts = self._split("unix" + url.removeprefix(scheme))
        query = self._query(parts, ("db", "virtual_host"))
        if parts.hostname or not parts.path.strip("/"):
            raise self._wrong("names no socket", "Use unix:///path/to.sock, with three slashes")
        return BrokerAddress(
            socket_path=unquote(parts.path),
            database=self._database("", query),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    def _sentinel(self, url: str) -> BrokerAddress:
        """kombu's form: several ``sentinel://host:port`` joined by ``;``; the master's name is in the fragment."""
        pieces = [piece if "://" in piece else f"sentinel://{piece}" for piece in url.split(";") if piece]
        parts = [self._split(piece) for piece in pieces]
        if any(part.scheme != "sentinel" for part in parts):
            raise self._wrong("mixes sentinel:// with another scheme", FORMS)
        query = {
            name: value
            for part in parts
            for name, value in self._query(
                part, ("db", "virtual_host", *_SENTINEL_PARAMETERS, *_TLS_PARAMETERS)
            ).items()
        }
        logins = [part for part in parts if part.username or part.password]
        paths = [part.path for part in parts if part.path.strip("/")]
        masters = [part.fragment for part in parts if part.fragment]
        encrypted = self._boolean(query, "ssl", bool(query.keys() & set(_TLS_PARAMETERS)))
        return BrokerAddress(
            hosts=tuple(self._host(part, 26379) for part in parts),
            database=self._database(paths[-1] if paths else "", query),
            user=unquote(logins[0].username or "") if logins else "",
            password=unquote(logins[0].password or "") if logins else "",
            master=unquote(masters[-1]) if masters else query.get("master_name", "mymaster"),
            sentinel_user=query.get("sentinel_username", ""),
            sentinel_password=query.get("sentinel_password", ""),
            tls=self._tls(query) if encrypted else None,
        )

    def _split(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            _ = parts.port, parts.hostname
        except ValueError:
            raise self._wrong(
                "has a host or port that cannot be read",
                "A port is a number to 65535; write /, #, ?, @ and : of a password as %2F, %23, %3F, %40 and %3A",
            ) from None
        return parts

    def _host(self, parts: SplitResult, port: int) -> tuple[str, int]:
        if parts.port == 0:
            raise self._wrong("names port 0", "A port is a number from 1 to 65535")
        return unquote(parts.hostname or "localhost"), parts.port or port

    def _query(self, parts: SplitResult, allowed: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            if name not in allowed:
                if name in _TLS_PARAMETERS:
                    raise self._wrong("asks for TLS in a URL without it", "Use rediss:// instead of redis://", name)
                close = nearest(name, allowed, 1)
                hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(sorted(allowed))}"
                raise self._wrong("has a parameter that is not known", hint, _plain(name))
            found[name] = value
        return found

    def _database(self, path: str, query: dict[str, str]) -> int:
        named = query.get("db", query.get("virtual_host", "")) or unquote(path).strip("/")
        if not named:
            return 0
        if not named.isascii() or not named.isdecimal() or int(named) >= _MAX_DATABASE:
            raise self._wrong("names a database that is no number", "Databases are numbers, such as /0", _plain(named))
        return int(named)

    def _tls(self, query: dict[str, str]) -> Tls:
        required = query.get("ssl_cert_reqs", "required").lower()
        if required not in _REQUIREMENTS:
            raise self._wrong("has an unknown ssl_cert_reqs", "Use required, optional or none", _plain(required))
        files = {name: query.get(name, "") for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")}
        for name, file in files.items():
            if file and not Path(file).is_file():
                raise self._wrong(f"names a file in {name} that is not there", "Correct the path, or mount it", file)
        if files["ssl_keyfile"] and not files["ssl_certfile"]:
            raise self._wrong("has ssl_keyfile without ssl_certfile", "Give both")
        return Tls(
            requirement=_REQUIREMENTS[required],
            check_hostname=self._boolean(query, "ssl_check_hostname", True),
            authorities=files["ssl_ca_certs"],
            certificate=files["ssl_certfile"],
            key=files["ssl_keyfile"],
        )

    def _boolean(self, query: dict[str, str], name: str, default: bool) -> bool:
        value = query.get(name, "").lower()
        if value and value not in _BOOLEANS:
            raise self._wrong(f"has a strange {name}", "Use true or false", _plain(value))
        return _BOOLEANS.get(value, default)

    def _wrong(self, what: str, hint: str, value: str = "") -> ConfigurationError:
        return ConfigurationError(f"{self._setting} {what}", value, hint)


def _is_clean(url: str) -> bool:
    return url.isprintable() and " " not in url and url == url.encode(errors="replace").decode()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else quote(host, safe="")


def _plain(value: str) -> str:
    """A short word as it stands; what is longer or stranger may be part of a password."""
    return value if len(value) <= 40 and value.replace("_", "").replace("-", "").replace("+", "").isalnum() else ""
