"""Every error that Koebin raises on purpose.

```
KoebinError
├── InvalidInput                 refused where it enters; the user can mend it
│   ├── InvalidText              empty, binary, control characters, too long
│   ├── InvalidOption            a synthesis option out of range
│   ├── InvalidName              a speaker, job or style name that cannot be a name
│   ├── InvalidScript            a narration file that does not parse
│   ├── InvalidDictionary        a user dictionary entry
│   ├── InvalidMessage           a task message that breaks the contract
│   ├── InvalidSettings          a KOEBIN_* variable
│   └── InvalidBriefing          a briefing file or its template
├── SpeakerError
│   ├── UnknownSpeaker           no such speaker; names the nearest
│   ├── UnknownStyle             the speaker has no such style
│   └── SpeakerNotServed         no live worker serves the speaker
├── ModelError
│   ├── InvalidCheckpoint        weights or configuration that do not fit
│   ├── BackendMissing           a package, a device or a file that the model needs is absent
│   ├── EngineNotReady           used before prepare(), or after a failed one
│   └── InferenceFailed          the network gave NaN, or a negative duration
├── SourceError                  a voice cannot be fetched or uploaded
│   ├── SourceNotFound           nothing under that prefix
│   ├── SourceDenied             401 or 403
│   └── SourceCorrupt            a checksum or a size differs
├── StoreError                   finished audio cannot be kept or read
│   ├── StoreNotFound            no such object, bucket or folder
│   ├── StoreDenied              credentials, permissions, a read-only or forbidden root
│   └── StoreFull                no space left
├── JobError
│   ├── JobNotFound
│   ├── JobConflict              the same job id with a different content
│   ├── JobFailed                ended without its result
│   ├── JobCancelled
│   ├── LeaseLost                another worker owns the task now
│   └── GiveBack                 the worker stops, or more urgent work waits
├── ConfigurationError           broker or deployment set up in a way that cannot work
└── TransientError               retried: the same request may succeed later
    ├── StoreUnavailable
    ├── SourceUnavailable
    └── BrokerUnavailable
```

Every class takes the same positional arguments and hands all of them to ``Exception``: Celery rebuilds an error
from its ``args`` on the other side, and an error that loses an argument there would lose its meaning.
"""

from __future__ import annotations


class KoebinError(Exception):
    """What went wrong, with which value, and what to do next.

    Args:
        what: one sentence, no full stop.
        value: the offending value as the user wrote it; "" where there is none. Never a secret.
        hint: the next step, an imperative sentence; "" where there is none.
        line: 1-based line in the input, 0 where there is none.
        column: 1-based column in the input, 0 where there is none.
    """

    def __init__(self, what: str, value: str = "", hint: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(what, value, hint, line, column)
        self.what = what
        self.value = value
        self.hint = hint
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else ""
        if self.line and self.column:
            place += f", column {self.column}"
        value = f": {_shorten(self.value)!r}" if self.value else ""
        hint = f". {self.hint}" if self.hint else ""
        return f"{place + ': ' if place else ''}{self.what}{value}{hint}"


def _shorten(value: str, limit: int = 120) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"


class InvalidInput(KoebinError):
    """Refused where it enters."""


class InvalidText(InvalidInput):
    """A text that cannot be spoken."""


class InvalidOption(InvalidInput):
    """A synthesis option out of its range."""


class InvalidName(InvalidInput):
    """A name that is not allowed."""


class InvalidScript(InvalidInput):
    """A narration file that does not parse."""


class InvalidDictionary(InvalidInput):
    """A user dictionary entry that cannot be used."""


class InvalidMessage(InvalidInput):
    """A task message that breaks the contract."""


class InvalidSettings(InvalidInput):
    """A setting that is unknown or out of range."""


class InvalidBriefing(InvalidInput):
    """A briefing file or its template."""


class SpeakerError(KoebinError):
    """Something about a speaker."""


class UnknownSpeaker(SpeakerError):
    """No speaker has that name."""


class UnknownStyle(SpeakerError):
    """The speaker has no such style."""


class SpeakerNotServed(SpeakerError):
    """No live worker serves the speaker."""


class ModelError(KoebinError):
    """Something about a model."""


class InvalidCheckpoint(ModelError):
    """Weights or a configuration that do not fit."""


class BackendMissing(ModelError):
    """A package, a device or a file that the model needs is absent."""


class EngineNotReady(ModelError):
    """The engine is used before it is ready."""


class InferenceFailed(ModelError):
    """The network gave something that is not speech."""


class SourceError(KoebinError):
    """A voice cannot be fetched or uploaded."""


class SourceNotFound(SourceError):
    """Nothing lies under that prefix."""


class SourceDenied(SourceError):
    """The source refuses these credentials."""


class SourceCorrupt(SourceError):
    """What was fetched is not what the source promised."""


class StoreError(KoebinError):
    """Finished audio cannot be kept or read."""


class StoreNotFound(StoreError):
    """No such object, bucket or folder."""


class StoreDenied(StoreError):
    """The store refuses, or lies outside the allowed roots."""


class StoreFull(StoreError):
    """No space is left in the store."""


class JobError(KoebinError):
    """Something about a job."""


class JobNotFound(JobError):
    """No job has that id."""


class JobConflict(JobError):
    """The same job id was used for a different content."""


class JobFailed(JobError):
    """The job ended without its result."""


class JobCancelled(JobError):
    """The job was cancelled."""


class LeaseLost(JobError):
    """Another worker owns the task now."""


class GiveBack(JobError):
    """The worker gives the task back: it shuts down, or something more urgent waits."""


class ConfigurationError(KoebinError):
    """A deployment that cannot work."""


class TransientError(KoebinError):
    """The same request may succeed later."""


class StoreUnavailable(TransientError):
    """The store does not answer, or answers 5xx."""


class SourceUnavailable(TransientError):
    """The source does not answer, or answers 5xx."""


class BrokerUnavailable(TransientError):
    """The broker does not answer."""
