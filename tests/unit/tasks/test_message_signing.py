"""Signatures of messages and documents: who may have made one, and that secrets stay secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from koebin.engine.errors import InvalidSettings, NotSigned
from koebin.tasks.message_signing import HEADER, MessageKeys, message_content, parse_keys
from koebin.tasks.settings import Settings
from koebin.tasks.stores.base import StoreOptions
from koebin.tasks.stores.uri import open_store

OLD, NEW = "old:0123456789abcdef", "new:fedcba9876543210"


def test_a_message_passes_with_a_signature_of_any_known_key() -> None:
    signed = parse_keys(OLD).sign_message("koebin.synthesize", "t", [{"text": "はい"}])[HEADER]
    content = message_content("koebin.synthesize", "t", [{"text": "はい"}], {}, {"chain": None})
    for keys in (OLD, f"{NEW},{OLD}", f"{OLD},{NEW}"):
        parse_keys(keys).check("message", content, signed)
    with pytest.raises(NotSigned, match="not known"):
        parse_keys(NEW).check("message", content, signed)


@pytest.mark.parametrize(
    "changed",
    [
        message_content("koebin.assemble", "t", [{"text": "はい"}]),
        message_content("koebin.synthesize", "u", [{"text": "はい"}]),
        message_content("koebin.synthesize", "t", [{"text": "いいえ"}]),
        message_content("koebin.synthesize", "t", [{"text": "はい"}], {"a": 1}),
        message_content("koebin.synthesize", "t", [{"text": "はい"}], {}, {"chain": [{"task": "x"}]}),
    ],
)
def test_whatever_is_changed_is_seen(changed: bytes) -> None:
    keys = parse_keys(OLD)
    signed = keys.sign_message("koebin.synthesize", "t", [{"text": "はい"}])[HEADER]
    with pytest.raises(NotSigned, match="does not fit"):
        keys.check("message", changed, signed)


@pytest.mark.parametrize("signature", ["", "v1", "v1;old", "v1;old;", "v2;old;00", "v1;;", ";;;", "v1;old;" + "0" * 64])
def test_what_is_no_signature_does_not_pass(signature: str) -> None:
    with pytest.raises(NotSigned):
        parse_keys(OLD).check("message", b"x", signature)


def test_without_keys_everything_passes_and_nothing_is_signed() -> None:
    assert MessageKeys().sign_message("koebin.synthesize", "t", []) == {}
    MessageKeys().check("message", b"x", "")
    assert MessageKeys().seal("jobs/a/manifest.json", b"{}") == b"{}"


def test_unsigned_is_let_pass_while_keys_are_introduced_but_never_a_wrong_one() -> None:
    keys = parse_keys(f"{OLD},unsigned")
    keys.check("message", b"x", "")
    with pytest.raises(NotSigned):
        keys.check("message", b"x", "v1;old;00")


@pytest.mark.parametrize(
    "text", ["secret-without-a-name", "a:short", ":0123456789abcdef", "a b:0123456789abcdef", "unsigned"]
)
def test_what_is_no_list_of_keys_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        parse_keys(text)
    assert text.partition(":")[2] not in str(refused.value) or not text.partition(":")[2]
    assert "0123456789abcdef" not in repr(parse_keys(OLD)) + repr(Settings(message_keys=OLD))


@pytest.mark.parametrize(
    "document", [b'{"version":1,"job":"a"}', b"{}", b'[["mei",1.0]]', b"[]", '{"題":"愛"}'.encode()]
)
def test_a_document_keeps_its_bytes_under_its_signature(tmp_path: Path, document: bytes) -> None:
    uri = tmp_path.as_uri()
    signed = open_store(uri, options=StoreOptions(message_keys=parse_keys(OLD)))
    key = "jobs/a/manifest.json"
    signed.put(key, document)
    assert signed.get(key) == document
    assert signed.find(key) == document
    assert b"koebin_signature" in open_store(uri).get(key)
    if len(document) > 2:
        json.loads(open_store(uri).get(key))  # it is a document for everybody else, too
    assert open_store(uri, options=StoreOptions(message_keys=parse_keys(f"{NEW},{OLD}"))).get(key) == document
    with pytest.raises(NotSigned):
        open_store(uri, options=StoreOptions(message_keys=parse_keys(NEW))).get(key)


def test_a_document_of_another_place_or_of_a_stranger_does_not_pass(tmp_path: Path) -> None:
    plain = open_store(tmp_path.as_uri())
    signed = open_store(tmp_path.as_uri(), options=StoreOptions(message_keys=parse_keys(OLD)))
    signed.put("jobs/a/chunks/000000.json", b'{"chunk":0}')
    plain.put("jobs/b/chunks/000000.json", plain.get("jobs/a/chunks/000000.json"))
    plain.put("jobs/b/manifest.json", b'{"version":1}')
    plain.put(
        "jobs/a/chunks/000000.json", plain.get("jobs/a/chunks/000000.json").replace(b":0", b":1"), if_absent=False
    )
    for key in ("jobs/b/chunks/000000.json", "jobs/b/manifest.json", "jobs/a/chunks/000000.json"):
        with pytest.raises(NotSigned):
            signed.get(key)
    signed.put("texts/aa/x.flac", b"audio")
    assert plain.get("texts/aa/x.flac") == b"audio"
