"""Translation of huggingface_hub's errors to errors of a source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from koebin.engine.errors import (
    KoebinError,
    SourceCorrupt,
    SourceDenied,
    SourceError,
    SourceNotFound,
    SourceUnavailable,
)

_TOKEN = "Set a token that may read it"  # noqa: S105 - a hint


@contextmanager
def translated(value: str) -> Iterator[None]:
    """Source error for any error of the hub's client; ``value`` names the place."""
    try:
        yield
    except KoebinError:
        raise
    except Exception as error:  # noqa: BLE001 - every one of them leaves as one of ours
        # Not chained: the addresses in the hub's messages may be signed.
        raise from_hub(error, value) from None


def from_hub(error: Exception, value: str) -> KoebinError:
    """Source error for an error of the hub's client. Its message is not repeated: addresses in it may be signed."""
    from huggingface_hub import errors as hub

    status = _status(error)
    if status in (401, 403) or isinstance(error, hub.GatedRepoError):
        return SourceDenied(f"the hub refuses access ({status or 'gated'})", value, _TOKEN)
    if isinstance(error, hub.RevisionNotFoundError):
        return SourceNotFound("the repository has no such revision", value)
    if isinstance(error, hub.RepositoryNotFoundError):
        return SourceNotFound("no such repository, or no access to it", value, _TOKEN)
    if isinstance(error, hub.OfflineModeIsEnabled):
        return SourceUnavailable("huggingface_hub is in offline mode", value, "Unset HF_HUB_OFFLINE to fetch")
    if status == 429 or status >= 500:
        return SourceUnavailable(f"the hub answers {status}", value)
    if isinstance(error, hub.RemoteEntryNotFoundError) or status == 404:
        return SourceNotFound("the hub has no such file", value)
    if isinstance(error, (hub.LocalEntryNotFoundError, hub.FileMetadataError)) or _is_transport(error):
        cause = error.__cause__
        if isinstance(cause, Exception) and _status(cause):
            return from_hub(cause, value)
        return SourceUnavailable(f"the hub cannot be reached ({_name(error)})", value, "Check the network")
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return SourceCorrupt("a download's size differs from the hub's listing", value, "Try again")
    if isinstance(error, OSError) and error.errno:
        return SourceError(f"the download cannot be written to disk ({error.strerror})", str(error.filename or value))
    return SourceError(f"the hub cannot be used ({_name(error)})", value)


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    return int(getattr(response, "status_code", 0) or 0)


def _is_transport(error: Exception) -> bool:
    """Whether the HTTP client itself failed; the client depends on the version of huggingface_hub."""
    bases = {(base.__module__.partition(".")[0], base.__name__) for base in type(error).__mro__}
    own = {("httpx", "TransportError"), ("httpx2", "TransportError"), ("requests", "RequestException")}
    return bool(bases & own) or isinstance(error, (ConnectionError, TimeoutError))


def _name(error: Exception) -> str:
    return type(error).__name__
