"""Message and document schemas that producers and workers exchange, as JSON.

``docs/contract.md`` describes them for people who enqueue with any Celery client.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from koebin.engine.audio.formats import EPUB_FORMATS, FORMATS, STREAMED_FORMATS, Format
from koebin.engine.checked_names import check_speaker
from koebin.engine.errors import InvalidMessage, InvalidOption
from koebin.engine.options import SynthesisOptions
from koebin.engine.reading import Reading
from koebin.tasks.store_keys import check_job

VERSION: Final = 1
"""Version of the contract; a worker refuses any other."""

SYNTHESIZE: Final = "koebin.synthesize"
RENDER: Final = "koebin.render"
SYNTHESIZE_CHUNK: Final = "koebin.synthesize_chunk"
ASSEMBLE: Final = "koebin.assemble"
TEXT_TASKS: Final = (SYNTHESIZE, RENDER)
"""Tasks of one text each, which no ledger knows."""
TASKS: Final = (*TEXT_TASKS, SYNTHESIZE_CHUNK, ASSEMBLE)
"""All that a worker of this version knows; it announces them."""


MAX_SEGMENT_CHARACTERS: Final = 20_000
MAX_TEXT_CHARACTERS: Final = 5_000
"""Longest text of ``koebin.synthesize``; longer ones are narrations."""
MAX_PHRASED_CHARACTERS: Final = 1_000
"""Longest text of ``koebin.render`` whose accent phrases are asked for: they travel through the result backend."""
MAX_CHUNK_SEGMENTS: Final = 2_000
MAX_CHUNK_CHARACTERS: Final = 400_000
"""Most text of the segments that travel inside a message; longer chunks lie in the store."""
MAX_TRACK_SECONDS: Final = 86_400.0
"""Latest place of a segment in a track with times of its own."""

_Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Revision = Annotated[str, Field(pattern=r"^[0-9A-Za-z._+-]{1,100}$")]
_DictionaryRevision = Annotated[str, Field(pattern=r"^([0-9a-f]{8,64})?$")]
SubtitleName = Annotated[str, Field(pattern=r"^(srt|vtt|lab|json)(:(sentence|word|mora|phone))?$")]
"""A format of subtitles, with its level if it is not the format's own."""
AudioFormat = Annotated[str, AfterValidator(lambda name: _one_of(name, tuple(FORMATS)))]
StreamedFormat = Annotated[str, AfterValidator(lambda name: _one_of(name, STREAMED_FORMATS))]


def _one_of(name: str, known: tuple[str, ...]) -> str:
    if name not in known:
        *others, last = map(repr, known)
        raise PydanticCustomError("format", "Input should be {names}", {"names": f"{', '.join(others)} or {last}"})
    return name


def _check_bitrate(chosen: Format, bitrate_kbps: int | None) -> None:
    try:
        chosen.bitrate_for(bitrate_kbps)
    except InvalidOption as error:
        raise ValueError(str(error)) from error


class Document(BaseModel):
    """A message or a stored document: unchangeable, and without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class ReadingSpec(Document):
    """Span of a segment's text and its reading."""

    start: int = Field(ge=0)
    end: int = Field(gt=0)
    kana: str = Field(min_length=1, max_length=1000)
    accent: int | None = None


class SegmentSpec(Document):
    """One sentence with all that decides its audio, except speaker and dictionary, which the chunk holds.

    Attributes:
        key: names the stored audio; recomputed by whoever receives it.
        options: fields of ``SynthesisOptions`` that differ from their defaults.
    """

    key: _Hex
    text: str = Field(min_length=1, max_length=MAX_SEGMENT_CHARACTERS)
    options: dict[str, Any] = Field(default_factory=dict)
    readings: tuple[ReadingSpec, ...] = ()

    def synthesis_options(self) -> SynthesisOptions:
        """Synthesis options of the segment. Raises: InvalidMessage, InvalidOption."""
        return parse_options(self.options)

    def engine_readings(self) -> tuple[Reading, ...]:
        return tuple(Reading(r.start, r.end, r.kana, r.accent) for r in self.readings)


class ChunkRequest(Document):
    """Message of ``koebin.synthesize_chunk``.

    Without ``segments`` the worker reads them from the store, under ``jobs/<job>/chunks/``.
    """

    version: Literal[1] = VERSION
    job: str
    chunk: int = Field(ge=0, lt=1_000_000)
    speaker: str
    model_revision: _Revision
    engine_revision: _Revision
    dictionary_revision: _DictionaryRevision = ""
    store: str = Field(max_length=1000)
    segments: tuple[SegmentSpec, ...] | None = Field(default=None, max_length=MAX_CHUNK_SEGMENTS)

    def model_post_init(self, _context: object) -> None:
        check_job(self.job)
        check_speaker(self.speaker)
        if sum(len(segment.text) for segment in self.segments or ()) > MAX_CHUNK_CHARACTERS:
            raise ValueError(f"its segments hold more than {MAX_CHUNK_CHARACTERS} characters")


class AssembleRequest(Document):
    """Message of ``koebin.assemble``."""

    version: Literal[1] = VERSION
    job: str
    store: str = Field(max_length=1000)

    def model_post_init(self, _context: object) -> None:
        check_job(self.job)


class SynthesizeRequest(Document):
    """Message of ``koebin.synthesize``: one text, one URI."""

    version: Literal[1] = VERSION
    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)
    speaker: str
    store: str = Field(max_length=1000)
    options: dict[str, Any] = Field(default_factory=dict)
    readings: tuple[ReadingSpec, ...] = ()
    format: StreamedFormat = "flac"
    presign_seconds: int = Field(default=0, ge=0, le=7 * 24 * 3600)

    def model_post_init(self, _context: object) -> None:
        check_speaker(self.speaker)
        parse_options(self.options)


class SegmentCounts(Document):
    total: int = Field(ge=0)
    reused: int = Field(ge=0)


class RenderRequest(Document):
    """The message of ``koebin.render``: one text, the keys of its stored sentences.

    Attributes:
        phrases: also give the accent phrases of each sentence, with the lengths of their moras.
    """

    version: Literal[1] = VERSION
    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)
    speaker: str
    store: str = Field(max_length=1000)
    options: dict[str, Any] = Field(default_factory=dict)
    readings: tuple[ReadingSpec, ...] = ()
    phrases: bool = False

    def model_post_init(self, _context: object) -> None:
        check_speaker(self.speaker)
        parse_options(self.options)
        if self.phrases and len(self.text) > MAX_PHRASED_CHARACTERS:
            raise ValueError(f"accent phrases are given for at most {MAX_PHRASED_CHARACTERS} characters")


class SpokenMora(Document):
    """A mora as it was spoken; all lengths in seconds.

    Attributes:
        consonant: its phone, "" where there is none.
        vowel: a, i, u, e, o, N or cl; in capitals where it is whispered.
    """

    kana: str
    consonant: str = ""
    consonant_seconds: float = 0.0
    vowel: str
    vowel_seconds: float


class SpokenPhrase(Document):
    """An accent phrase of a sentence.

    Attributes:
        accent: the mora after which the pitch falls, 0 for a flat phrase.
        start, end: its span of the sentence in characters; None where no character can be named.
        pause_seconds: of the pause after it; None where none follows within the sentence.
    """

    moras: tuple[SpokenMora, ...]
    accent: int = Field(ge=0)
    start: int | None = None
    end: int | None = None
    pause_seconds: float | None = None


class RenderedSentence(Document):
    """A sentence that lies in the store.

    Attributes:
        key: of the segment.
        start: where it begins in the request's text, in characters.
        pause: seconds of silence wanted after it.
        before, after: seconds of its audio before the first mora and after the last one.
        phrases: empty unless they were asked for.
    """

    key: _Hex
    text: str
    start: int = Field(ge=0)
    pause: float = Field(ge=0.0)
    before: float = Field(default=0.0, ge=0.0)
    after: float = Field(default=0.0, ge=0.0)
    phrases: tuple[SpokenPhrase, ...] = ()


class RenderResult(Document):
    """What ``koebin.render`` returns."""

    version: Literal[1] = VERSION
    sentences: tuple[RenderedSentence, ...]
    segments: SegmentCounts


class Placement(Document):
    """Place of a segment in its programme.

    Attributes:
        index: position among all segments of the job.
        pause: seconds of silence that follow.
        item: id of the item that the segment belongs to, "" where there are no items.
        name: the script's name for its speaker, "" for the narrator.
        lead: seconds of silence before it, at the beginning of a file.
        start, end: seconds of its place in a track with times of its own, such as a film's subtitles.
    """

    index: int = Field(ge=0)
    chapter: int = Field(default=0, ge=0)
    line: int = Field(default=0, ge=0)
    pause: float = Field(default=0.0, ge=0.0, le=600.0)
    item: str = ""
    name: str = ""
    lead: float = Field(default=0.0, ge=0.0, le=600.0)
    start: float | None = Field(default=None, ge=0.0, le=MAX_TRACK_SECONDS)
    end: float | None = Field(default=None, ge=0.0, le=MAX_TRACK_SECONDS)


class PlannedSegment(Document):
    """Segment with its place, as a chunk's document in the store lists it.

    Attributes:
        takes: keys of the further takes that may be used instead, where the job has a quality gate.
    """

    segment: SegmentSpec
    place: Placement
    takes: tuple[_Hex, ...] = ()


class Quality(Document):
    """Quality gate of a job: number of takes, and the recognisers that judge them."""

    takes: int = Field(default=3, ge=1, le=10)
    recognisers: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")], ...] = Field(default=(), max_length=8)


class ChunkDocument(Document):
    """``jobs/<id>/chunks/<n>.json``."""

    version: Literal[1] = VERSION
    chunk: int
    speaker: str
    seconds: float = Field(ge=0.0)
    segments: tuple[PlannedSegment, ...]
    quality: Quality | None = None


class VoiceCredit(Document):
    """What a voice's maker asks to be told with it: display name, title of the licence, creators."""

    display_name: str = Field(default="", max_length=200)
    licence: str = Field(default="", max_length=200)
    creators: tuple[Annotated[str, Field(max_length=255)], ...] = Field(default=(), max_length=100)

    def line(self) -> str:
        """In one line, for a tag and a page; "" where nothing is known."""
        return " / ".join(part for part in (self.display_name, ", ".join(self.creators), self.licence) if part)


class PlannedSpeaker(Document):
    """Speaker of a job as its workers announced it at planning time."""

    model_revision: _Revision
    sample_rate_hz: int = Field(gt=0)
    credit: VoiceCredit = VoiceCredit()


class Output(Document):
    """Deliverables of a job.

    Attributes:
        formats: containers of the audio, the first is the one whose URI is the result's.
        whole, per_chapter: one file for all, one file per chapter.
        loudness_lufs: integrated loudness (EBU R128) of the programme; None leaves the voice's own level.
        true_peak_dbtp: upper bound of the true peak.
        subtitles: side files besides the marks' JSON.
        player: also write ``index.html``.
        epub: also write an EPUB with text and sound; needs MP3, M4A or Opus among the formats.
        audiobookshelf: also write ``metadata.json`` for Audiobookshelf.
        bitrate_kbps: of lossy formats; None is the format's default.
        sample_rate_hz: of the programme; None is the highest rate among the speakers.
    """

    formats: tuple[AudioFormat, ...] = ("flac",)
    whole: bool = True
    per_chapter: bool = False
    loudness_lufs: float | None = Field(default=None, ge=-70.0, le=-5.0)
    true_peak_dbtp: float = Field(default=-1.0, ge=-20.0, le=0.0)
    subtitles: tuple[SubtitleName, ...] = ()
    player: bool = False
    epub: bool = False
    audiobookshelf: bool = False
    bitrate_kbps: int | None = Field(default=None, ge=16, le=320)
    sample_rate_hz: int | None = Field(default=None, ge=8000, le=192_000)

    def model_post_init(self, _context: object) -> None:
        if not self.formats or not (self.whole or self.per_chapter):
            raise ValueError("no audio file is asked for")
        if self.epub and not EPUB_FORMATS.keys() & set(self.formats):
            raise ValueError("an EPUB needs mp3, m4a or opus among the formats")
        for name in self.formats:
            _check_bitrate(FORMATS[name], self.bitrate_kbps)


class Pauses(Document):
    """Pauses after a sentence, a paragraph and a chapter, in seconds; which applies: ``koebin.tasks.jobs.pauses``."""

    sentence: float = Field(default=0.35, ge=0.0, le=60.0)
    paragraph: float = Field(default=0.8, ge=0.0, le=60.0)
    chapter: float = Field(default=2.0, ge=0.0, le=60.0)


class InputError(Document):
    """Input line that was refused."""

    line: int
    item: str
    message: str


class OmittedInput(Document):
    """Part of the input that is silent, while all around it is spoken.

    Attributes:
        line, column: its place, 0 where there is none; a book's paragraphs count as lines.
        text: the part itself.
        reason: why it cannot be spoken.
    """

    line: int
    text: str
    reason: str
    column: int = 0
    item: str = ""


class Manifest(Document):
    """Manifest of a job, ``jobs/<id>/manifest.json``: everything that holds for the whole job, written once.

    Attributes:
        content: SHA-256 over the planned chunks and the job options; the same id with another content is refused.
        created: seconds since the epoch.
        partial: deliver the rest if a segment becomes a dead letter (else the job fails, and keeps everything).
    """

    version: Literal[1] = VERSION
    job: str
    content: _Hex
    created: float
    title: str = ""
    author: str = ""
    chapters: tuple[str, ...] = ("",)
    cover: str = ""
    items: bool = False
    errors: tuple[InputError, ...] = ()
    series: str = ""
    volume: str = ""
    left_out: tuple[OmittedInput, ...] = ()
    warnings: tuple[InputError, ...] = ()
    speakers: dict[str, PlannedSpeaker]
    engine_revision: _Revision
    dictionary_revision: _DictionaryRevision = ""
    store: str
    priority: int = Field(ge=0, le=9)
    chunks: int = Field(ge=1)
    segments: int = Field(ge=1)
    characters: int = Field(ge=0)
    seconds: float = Field(ge=0.0)
    output: Output = Output()
    pauses: Pauses = Pauses()
    partial: bool = False
    webhook: str = ""
    quality: Quality | None = None

    def model_post_init(self, _context: object) -> None:
        check_job(self.job)


class Judged(Document):
    """Segment whose first take did not pass the quality gate.

    Attributes:
        key: of the planned segment.
        used: of the take that is delivered; the planned one where no take passed.
        takes: findings for each take that was tried, in order; empty for one that passed.
    """

    key: _Hex
    used: _Hex
    index: int = 0
    line: int = 0
    item: str = ""
    speaker: str
    text: str
    takes: tuple[tuple[str, ...], ...]


class DoneDocument(Document):
    """``jobs/<id>/done/<n>.json``."""

    version: Literal[1] = VERSION
    chunk: int
    reused: int = Field(ge=0)
    rendered: int = Field(ge=0)
    seconds: float = Field(ge=0.0)
    wall_seconds: float = Field(ge=0.0)
    dead: tuple[dict[str, Any], ...] = ()
    judged: tuple[Judged, ...] = ()


class Result(Document):
    """Result of a job or of a ``koebin.synthesize`` task. Audio travels by URI, never through the result backend.

    Attributes:
        voices: by speaker, of those whose voice names its makers or its licence.
    """

    uri: str
    duration_seconds: float
    sample_rate_hz: int
    bytes: int
    sha256: str
    format: str
    marks_uri: str
    segments: SegmentCounts
    presigned_url: str | None = None
    voices: dict[str, VoiceCredit] = Field(default_factory=dict)


_Model = TypeVar("_Model", bound=BaseModel)
_DEFAULT_OPTIONS: Final = SynthesisOptions()


def parse(model: type[_Model], document: object, *, extra: Literal["forbid", "ignore"] = "forbid") -> _Model:
    """Validate a decoded JSON value.

    Args:
        extra: people's documents are refused for a field that does not exist; what another version of ours has written
            may have more.

    Raises:
        InvalidMessage: it breaks the contract; names the field and the reason.
    """
    try:
        return model.model_validate(document, extra=extra)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise InvalidMessage(f"{model.__name__}: {where}: {first['msg']}", str(first.get("input"))[:80]) from None


def parse_json(model: type[_Model], data: bytes) -> _Model:
    """Validate JSON text that a version of ours has written; fields that another one has besides are ignored.

    Raises:
        InvalidMessage: it breaks the contract.
    """
    try:
        return model.model_validate_json(data, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise InvalidMessage(f"{model.__name__}: {where}: {first['msg']}") from None


def dump(model: BaseModel) -> bytes:
    """JSON of a document, defaults left out."""
    return model.model_dump_json(exclude_defaults=True).encode()


def parse_options(fields: dict[str, Any]) -> SynthesisOptions:
    """Synthesis options from JSON fields. Raises: InvalidMessage for an unknown option, InvalidOption for a bad
    value."""
    if not fields:
        return _DEFAULT_OPTIONS
    unknown = sorted(set(fields) - set(SynthesisOptions.__dataclass_fields__))
    if unknown:
        raise InvalidMessage("unknown synthesis option", unknown[0])
    try:
        return SynthesisOptions(**fields)
    except TypeError as error:
        raise InvalidMessage("a synthesis option has a value of the wrong type", str(error)) from None


def changed_options(options: SynthesisOptions) -> dict[str, Any]:
    """Options that differ from their defaults, without the pause (not part of a segment)."""
    defaults = _DEFAULT_OPTIONS.content()
    return {name: value for name, value in options.content().items() if value != defaults.get(name)}
