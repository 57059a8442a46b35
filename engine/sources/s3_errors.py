"""Translation of botocore's errors to errors of a source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from koebin.engine.errors import KoebinError, SourceDenied, SourceError, SourceNotFound, SourceUnavailable

_CREDENTIALS: Final = "Check the access key, its secret and its policy"
_BUSY: Final = frozenset(
    {"InternalError", "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"}
)


@contextmanager
def translated(value: str) -> Iterator[None]:
    """Source error for an error of botocore; ``value`` names the object."""
    try:
        yield
    except ClientError as error:
        raise _from_answer(error, value) from error
    except BotoCoreError as error:
        raise _from_client(error, value) from error
    except (ConnectionError, TimeoutError) as error:
        raise SourceUnavailable("the connection to the source was cut", value) from error
    except OSError as error:
        raise SourceError(error.strerror or type(error).__name__, str(error.filename or value)) from error


def _from_answer(error: ClientError, value: str) -> KoebinError:
    """Source error for an error response. Only its code is repeated: messages may name keys."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    metadata: Any = error.response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    if code == "NoSuchBucket":
        return SourceNotFound("no such bucket", value, "Correct the source's URI")
    if code == "PreconditionFailed" or status == 412:
        return SourceUnavailable("the voice was replaced during the download", value, "Try again")
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed") or status == 301:
        return SourceDenied("the bucket lies in another region", value, "Set the source's region")
    if code in _BUSY or status == 429 or status >= 500:
        return SourceUnavailable(f"the source answers {code or status}", value)
    if status in (401, 403):
        return SourceDenied(f"the source refuses the credentials ({code or status})", value, _CREDENTIALS)
    if status == 404:
        return SourceNotFound("no such object", value)
    return SourceError(f"the source refuses the request ({code or status})", value)


def _from_client(error: BotoCoreError, value: str) -> KoebinError:
    """Source error for an error without a response."""
    match error:
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return SourceDenied("no usable credentials were found for the source", value, _CREDENTIALS)
        case boto.SSLError():
            return SourceUnavailable("the source's certificate is not accepted", value, "Check the endpoint and the CA")
        case boto.EndpointConnectionError() | boto.ConnectTimeoutError():
            return SourceUnavailable("the source cannot be reached", value, "Check the endpoint and the network")
        case boto.HTTPClientError() | boto.IncompleteReadError() | boto.ResponseStreamingError():
            return SourceUnavailable("the connection to the source was cut", value)
        case _:
            return SourceError(f"the source cannot be used ({type(error).__name__})", value)
