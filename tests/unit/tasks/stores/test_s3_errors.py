from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import botocore.exceptions as boto
import pytest

from koebin.engine.errors import (
    InvalidName,
    InvalidOption,
    InvalidSettings,
    KoebinError,
    SourceDenied,
    SourceNotFound,
    SourceUnavailable,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreNotFound,
    StoreUnavailable,
)
from koebin.engine.sources import s3_errors as source_errors
from koebin.tasks.stores.base import StoreOptions
from koebin.tasks.stores.s3 import S3Store
from koebin.tasks.stores.s3_errors import translated


def answer(code, status):
    return boto.ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer("NoSuchKey", 404), StoreNotFound),
        (answer("404", 404), StoreNotFound),
        (answer("NoSuchBucket", 404), StoreNotFound),
        (answer("AccessDenied", 403), StoreDenied),
        (answer("InvalidAccessKeyId", 403), StoreDenied),
        (answer("RequestTimeTooSkewed", 403), StoreDenied),
        (answer("PermanentRedirect", 301), StoreDenied),
        (answer("AuthorizationHeaderMalformed", 400), StoreDenied),
        (answer("XMinioStorageFull", 507), StoreFull),
        (answer("QuotaExceeded", 403), StoreFull),
        (answer("SlowDown", 503), StoreUnavailable),
        (answer("InternalError", 500), StoreUnavailable),
        (answer("RequestTimeout", 400), StoreUnavailable),
        (answer("", 429), StoreUnavailable),
        (answer("MethodNotAllowed", 405), StoreError),
        (boto.NoCredentialsError(), StoreDenied),
        (boto.PartialCredentialsError(provider="env", cred_var="secret"), StoreDenied),
        (boto.EndpointConnectionError(endpoint_url="http://x"), StoreUnavailable),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), StoreUnavailable),
        (boto.ReadTimeoutError(endpoint_url="http://x"), StoreUnavailable),
        (boto.ConnectionClosedError(endpoint_url="http://x"), StoreUnavailable),
        (boto.SSLError(endpoint_url="http://x", error="bad"), StoreUnavailable),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), StoreUnavailable),
        (boto.ParamValidationError(report="Invalid bucket name"), InvalidName),
        (boto.FlexibleChecksumError(error_msg="x"), StoreUnavailable),
        (boto.DataNotFoundError(data_path="x"), StoreError),
    ],
)
def test_every_error_of_botocore_becomes_one_of_ours(error, kind):
    with pytest.raises(KoebinError) as caught, translated("s3://bucket/key"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.value == "s3://bucket/key"


def test_secrets_stay_out_of_reprs():
    options = StoreOptions(access_key_id="AKIA123", secret_access_key="hunter2", session_token="token9")
    store = S3Store("bucket", "a", options)
    for text in (repr(options), repr(store), store.uri):
        assert not any(secret in text for secret in ("AKIA123", "hunter2", "token9"))


@pytest.mark.parametrize(
    "endpoint", ["localhost:9000", "ftp://x", "http://", "http://host?x=1", "http://user:pw9@host"]
)
def test_an_endpoint_that_cannot_be_one(endpoint):
    with pytest.raises(InvalidSettings) as caught:
        S3Store("bucket", "", StoreOptions(endpoint=endpoint))
    assert "pw9" not in repr(caught.value)


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
def test_a_url_is_signed_for_a_second_to_a_week(seconds):
    with pytest.raises(InvalidOption):
        S3Store("bucket", "", StoreOptions()).presign("key", seconds)


def test_no_key_escapes():
    store = S3Store("bucket", "root", StoreOptions())
    with pytest.raises(InvalidName):
        store.get("../other")
    assert store.url("a/b") == "s3://bucket/root/a/b"


def headed(code, status, **headers):
    error = answer(code, status)
    error.response["ResponseMetadata"]["HTTPHeaders"] = {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return error


def test_a_clock_that_is_wrong_is_told_as_that_though_the_answer_has_no_body():
    then = datetime.now(UTC) - timedelta(minutes=20)
    with pytest.raises(StoreDenied, match=r"clock is wrong .1[12]\d\d s ahead"), translated("s3://bucket/key"):
        raise headed("403", 403, date=format_datetime(then, usegmt=True))
    with pytest.raises(StoreDenied, match="credentials"), translated("s3://bucket/key"):
        raise headed("403", 403, date=format_datetime(datetime.now(UTC), usegmt=True))


@pytest.mark.parametrize(
    "error", [headed("301", 301, x_amz_bucket_region="eu-west-1"), headed("400", 400, x_amz_bucket_region="eu-west-1")]
)
def test_the_region_that_the_server_names_is_repeated(error):
    with pytest.raises(StoreDenied) as caught, translated("s3://bucket/key"):
        raise error
    assert caught.value.hint == "Set KOEBIN_S3_REGION=eu-west-1"


def test_the_same_error_of_a_source_is_a_sources():
    for error, kind in (
        (answer("AccessDenied", 403), SourceDenied),
        (answer("NoSuchKey", 404), SourceNotFound),
        (boto.FlexibleChecksumError(error_msg="x"), SourceUnavailable),
    ):
        with pytest.raises(KoebinError) as caught, source_errors.translated("s3://bucket/key"):
            raise error
        assert type(caught.value) is kind
        assert "source" in str(caught.value)
