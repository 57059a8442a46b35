"""Addresses of sources."""

import pytest

from koebin.engine.errors import InvalidName, SourceError
from koebin.engine.sources import SourceOptions, parse
from koebin.engine.sources.base import check_file, check_prefix


@pytest.fixture
def options(tmp_path):
    return SourceOptions(tmp_path, hub_token="hf_planted", s3_secret_access_key="s3_planted")


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("hf://user/repo", "hf://user/repo"),
        ("hf://user/repo@v1.0", "hf://user/repo@v1.0"),
        ("hf://user/repo@feature/x", "hf://user/repo@feature/x"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("file:///models/a%20b", "file:///models/a%20b"),
        ("/models", "file:///models"),
    ],
)
def test_an_address_is_understood(written, uri, options):
    source = parse(written, options)

    assert source.uri == uri
    assert "planted" not in repr(source) + repr(options)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "user/repo",
        "models",
        "./models",
        "~/models",
        "gs://bucket/x",
        "HF://user/repo",
        "https://huggingface.co/user/repo",
        "hf://user",
        "hf://user/repo/sub",
        "hf://user/repo@",
        "hf://user/repo@a@b",
        "hf://user/repo@a..b",
        "hf://us*r/repo",
        "hf://../repo",
        "s3://",
        "s3:///prefix",
        "s3://bucket/a/../b",
        "s3://bucket//a",
        "s3://bucket/*",
        "s3://bucket/a?endpoint=x",
        "file://host/models",
        "file:///models?x=1",
        "file:models",
        "/models/../etc",
        "/models\0",
        "file:///models%00",
    ],
)
def test_every_other_address_is_refused_with_the_forms_that_are_known(written, options):
    with pytest.raises(SourceError, match=r"Use |Write |Set "):
        parse(written, options)


@pytest.mark.parametrize("written", ["s3://key:planted@bucket/x", "hf://me:planted@user/repo", "file://me:planted@h/x"])
def test_credentials_in_an_address_are_not_repeated(written, options):
    with pytest.raises(SourceError) as refused:
        parse(written, options)

    assert "planted" not in str(refused.value) + repr(refused.value)


@pytest.mark.parametrize("endpoint", ["http://me:planted@host:9000", "host:9000", "ftp://host", "http://host:port"])
def test_an_endpoint_that_is_none_is_refused(endpoint, tmp_path):
    with pytest.raises(InvalidName) as refused:
        parse("s3://bucket", SourceOptions(tmp_path, s3_endpoint=endpoint))

    assert "planted" not in str(refused.value)


@pytest.mark.parametrize("prefix", ["", "mei", "onnx/speakers/jvnv-F1-jp", "a.b/c_d"])
def test_a_prefix_is_names(prefix):
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["/a", "a/", "a//b", "..", "a/../b", ".", ".git", "*", "a/[b]", "a\\b", "a\0", "声"])
def test_a_prefix_that_could_leave_its_source_is_refused(prefix):
    with pytest.raises(InvalidName):
        check_prefix(prefix)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "a//b", "a\\b", "a\nb", ""])
def test_a_listed_file_that_would_leave_its_folder_is_refused(path):
    with pytest.raises(SourceError):
        check_file(path, "s3://bucket")
