"""Signatures of messages and job documents, for a broker or a store that others may write to.

Off unless ``KOEBIN_MESSAGE_KEYS`` is set: ``name:secret``, several joined by commas. The first key signs, every one
verifies; so a key is replaced by adding the new one behind the old one everywhere, then putting it first, then leaving
the old one out. The word ``unsigned`` among them lets pass what has no signature, while keys are being introduced.

A signature is ``v1;<name of the key>;<hex HMAC-SHA256>``. It covers what it is a signature of: for a message its task,
id, arguments and links, for a document the key under which the store has it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from koebin.engine.errors import InvalidSettings, NotSigned

HEADER: Final = "koebin_signature"
"""Of a message."""
UNSIGNED: Final = "unsigned"
_VERSION: Final = "v1"
_LEAST_SECRET: Final = 16
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SEALED: Final = re.compile(rb'(?s)(.*),"koebin_signature":"([A-Za-z0-9._;-]{1,200})"\}', re.DOTALL)
_SEALED_LIST: Final = re.compile(rb'(.*),\["koebin_signature","([A-Za-z0-9._;-]{1,200})"\]\]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class MessageKeys:
    """Keys of one deployment; without any nothing is signed and everything passes.

    Attributes:
        keys: name and secret of each; the first one signs.
        accepts_unsigned: what has no signature passes as well; a wrong signature never does.
    """

    keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    accepts_unsigned: bool = False

    def __bool__(self) -> bool:
        return bool(self.keys)

    def sign(self, subject: str, data: bytes) -> str:
        """Signature of ``data`` as ``subject``; "" without keys."""
        if not self.keys:
            return ""
        name, secret = self.keys[0]
        return f"{_VERSION};{name};{_digest(secret, subject, data)}"

    def check(self, subject: str, data: bytes, signature: str) -> None:
        """Raises: NotSigned: keys are set, and none of them has signed this."""
        if not self.keys or (not signature and self.accepts_unsigned):
            return
        if not signature:
            raise NotSigned("it has no signature", subject[:100], "Send it with one of KOEBIN_MESSAGE_KEYS")
        version, _, rest = signature.partition(";")
        name, _, digest = rest.partition(";")
        secret = dict(self.keys).get(name)
        if version != _VERSION or secret is None:
            raise NotSigned("it is signed by a key that is not known here", name[:64], "Check KOEBIN_MESSAGE_KEYS")
        if not hmac.compare_digest(digest.encode(), _digest(secret, subject, data).encode()):
            raise NotSigned("its signature does not fit", subject[:100], "It was changed, or signed as another")

    def sign_message(
        self, task: str, task_id: str, args: Any, kwargs: Any = None, links: dict[str, Any] | None = None
    ) -> dict[str, str]:
        """Headers that a message is to be sent with; none without keys."""
        signature = self.sign("message", message_content(task, task_id, args, kwargs, links))
        return {HEADER: signature} if signature else {}

    def seal(self, key: str, data: bytes) -> bytes:
        """A JSON document with its signature as its last entry; as it is without keys."""
        signature = self.sign(f"document {key}", data)
        if not signature:
            return data
        if data.endswith(b"]"):
            return data[:-1] + f',["{HEADER}","{signature}"]]'.encode()
        return data[:-1] + f',"{HEADER}":"{signature}"}}'.encode()

    def open(self, key: str, data: bytes) -> bytes:
        """The document without its signature.

        Raises:
            NotSigned: keys are set, and none of them has signed this under this key.
        """
        found = _SEALED.fullmatch(data) or _SEALED_LIST.fullmatch(data)
        if found is None:
            self.check(f"document {key}", data, "")
            return data
        content = found[1] + (b"}" if data.endswith(b"}") else b"]")
        self.check(f"document {key}", content, found[2].decode())
        return content


NO_KEYS: Final = MessageKeys()


def parse_keys(text: str) -> MessageKeys:
    """Keys as a setting spells them. Raises: InvalidSettings: never repeats a secret."""
    keys: list[tuple[str, str]] = []
    accepts_unsigned = False
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        if part == UNSIGNED:
            accepts_unsigned = True
            continue
        name, _, secret = part.partition(":")
        if not _NAME.fullmatch(name) or len(secret) < _LEAST_SECRET:
            raise InvalidSettings(
                "KOEBIN_MESSAGE_KEYS holds what is no key", "", f"Use name:secret, {_LEAST_SECRET} characters or more"
            )
        keys.append((name, secret))
    if accepts_unsigned and not keys:
        raise InvalidSettings("KOEBIN_MESSAGE_KEYS holds no key", "", "Use name:secret, or unset it")
    return MessageKeys(tuple(keys), accepts_unsigned)


def message_content(
    task: str, task_id: str, args: Any, kwargs: Any = None, links: dict[str, Any] | None = None
) -> bytes:
    """What a message's signature covers: canonical JSON of task, id, arguments, keywords and links that are there."""
    linked = {name: value for name, value in (links or {}).items() if value}
    content = [task, task_id, args, kwargs or {}, linked]
    return json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str).encode()


def _digest(secret: str, subject: str, data: bytes) -> str:
    return hmac.new(secret.encode(), f"koebin {_VERSION} {subject}\n".encode() + data, hashlib.sha256).hexdigest()
