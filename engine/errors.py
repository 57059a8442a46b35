"""Error tree: every error that Koebin raises on purpose.

```
KoebinError
├── InvalidInput                 refused where it enters; the user can mend it
│   ├── InvalidText              empty, binary, control characters, too long
│   ├── InvalidOption            a synthesis option out of range
│   ├── InvalidName              a speaker, job or style name that cannot be a name
│   ├── InvalidScript            a narration file that does not parse
│   ├── InvalidDictionary        a user dictionary entry
│   ├── InvalidMessage           a task message that breaks the contract
│   │   └── NotSigned            KOEBIN_MESSAGE_KEYS are set, and none of them has signed it
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
│   ├── StoreDenied              credentials, permissions, a read-only root
│   │   └── StoreNotAllowed      under no root that this worker may write to
│   └── StoreFull                no space left
├── JobError
│   ├── JobNotFound
│   ├── JobUnreadable            its entry in Redis is another version's, or a stranger's
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

from koebin.engine.display import escaped, mask_text, shown


class KoebinError(Exception):
    """Base class: what went wrong, with which value, and what to do next.

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
        value = f": {escaped(repr(_shorten(mask_text(self.value))))}" if self.value else ""
        hint = f". {shown(self.hint)}" if self.hint else ""
        return f"{place + ': ' if place else ''}{shown(self.what)}{value}{hint}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


def _shorten(value: str, limit: int = 120) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"


class InvalidInput(KoebinError):
    """Input that is refused where it enters."""


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


class NotSigned(InvalidMessage):
    """A message or a document that no known key has signed."""


class InvalidSettings(InvalidInput):
    """A setting that is unknown or out of range."""


class InvalidBriefing(InvalidInput):
    """A briefing file or its template."""


class SpeakerError(KoebinError):
    """Error about a speaker."""


class UnknownSpeaker(SpeakerError):
    """There is no speaker of that name."""


class UnknownStyle(SpeakerError):
    """The speaker has no such style."""


class SpeakerNotServed(SpeakerError):
    """No live worker serves the speaker."""


class ModelError(KoebinError):
    """Error about a model."""


class InvalidCheckpoint(ModelError):
    """Weights or a configuration that do not fit."""


class BackendMissing(ModelError):
    """A package, a device or a file that the model needs is absent."""


class EngineNotReady(ModelError):
    """The engine was used before it is ready."""


class InferenceFailed(ModelError):
    """The network's output is not speech."""


class SourceError(KoebinError):
    """A voice cannot be fetched or uploaded."""


class SourceNotFound(SourceError):
    """Nothing exists under that prefix."""


class SourceDenied(SourceError):
    """The source refuses these credentials."""


class SourceCorrupt(SourceError):
    """The fetched files differ from what the source announced."""


class StoreError(KoebinError):
    """Finished audio cannot be stored or read."""


class StoreNotFound(StoreError):
    """No such object, bucket or folder."""


class StoreDenied(StoreError):
    """The store refuses access, or is outside the allowed roots."""


class StoreNotAllowed(StoreDenied):
    """The store lies under no root that this worker may write to."""


class StoreFull(StoreError):
    """No space is left in the store."""


class JobError(KoebinError):
    """Error about a job."""


class JobNotFound(JobError):
    """There is no job with that id."""


class JobUnreadable(JobError):
    """Another version, or a stranger, wrote of the job in Redis."""


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
    """The deployment cannot work as configured."""


class TransientError(KoebinError):
    """The same request may succeed later."""


class StoreUnavailable(TransientError):
    """The store does not answer, or answers 5xx."""


class SourceUnavailable(TransientError):
    """The source does not answer, or answers 5xx."""


class BrokerUnavailable(TransientError):
    """The broker does not answer."""
