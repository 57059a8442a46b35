"""Briefing file format: schema, validation and loading.

Every value is checked when the file is loaded: a briefing that loads can be rendered at any due time, with its fallback
texts at the least.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
)

from koebin.engine.checked_names import check_speaker
from koebin.engine.errors import InvalidBriefing, InvalidInput
from koebin.engine.options import SynthesisOptions
from koebin.producers.briefings.schedule.crontab import problem_of
from koebin.producers.briefings.toml_place import place_of
from koebin.producers.formats import toml
from koebin.producers.publishing.podcast import public_url
from koebin.producers.time_spans import seconds
from koebin.tasks.contracts import Output
from koebin.tasks.stores.base import check_key
from koebin.tasks.stores.uri import canonical_uri

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
MAX_FILE_BYTES: Final = 1 << 20

Seconds = Annotated[float, BeforeValidator(seconds)]
_In = TypeVar("_In")
_Out = TypeVar("_Out")
_SourceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class When(_Frozen):
    """Schedule of a briefing.

    Attributes:
        crontab: five fields, evaluated in ``time_zone``.
        holidays: Japanese public holidays: run as on any day, skip them, or run on them only.
        closed: further days without a run.
        catch_up: of the due times missed while no beat process ran, run the latest, all, or none.
        max_age: seconds after which a missed due time is not caught up any more.
    """

    crontab: str
    time_zone: str = "Asia/Tokyo"
    holidays: Literal["run", "skip", "only"] = "run"
    closed: tuple[date, ...] = ()
    catch_up: Literal["latest", "all", "skip"] = "latest"
    max_age: Seconds = Field(default=6 * 3600.0, ge=60, le=30 * 86400)

    @field_validator("crontab")
    @classmethod
    def _crontab(cls, value: str) -> str:
        problem = problem_of(value)
        if problem:
            raise ValueError(f"not a crontab: {problem}")
        return value

    @field_validator("time_zone")
    @classmethod
    def _time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError("unknown time zone, use a name such as Asia/Tokyo") from error
        return value


class Voice(_Frozen):
    """Speaker and synthesis options.

    Attributes:
        options: fields of ``SynthesisOptions``: style, speed, pitch, intonation, volume, pause, seed, ...
        dictionaries: files of readings, relative to the briefing's file.
    """

    speaker: str = "mei"
    options: dict[str, Any] = Field(default_factory=dict)
    dictionaries: tuple[str, ...] = ()

    @field_validator("speaker")
    @classmethod
    def _speaker(cls, value: str) -> str:
        return _as_value_error(check_speaker, value)

    @field_validator("options")
    @classmethod
    def _options(cls, value: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(value) - set(SynthesisOptions.__dataclass_fields__))
        if unknown:
            raise ValueError(f"unknown option {unknown[0]!r}")
        _as_value_error(lambda options: SynthesisOptions(**options), value)
        return value


class _Source(_Frozen):
    """Fields that all sources share.

    Attributes:
        say: template of its text; sees the source's values.
        fallback: text if the source fails; may be "" on purpose.
        timeout: seconds for everything, including name resolution and redirects.
        max_bytes: of the decoded content.
        cache: seconds during which a fetched value is reused.
        stale: seconds during which the last good value is preferred to the fallback when the source fails.
    """

    say: str = Field(max_length=20_000)
    fallback: str = Field(max_length=5_000)
    timeout: Seconds = Field(default=10.0, gt=0, le=120)
    max_bytes: ByteSize = Field(default=ByteSize(1 << 20), ge=1, le=32 << 20)
    cache: Seconds = Field(default=0.0, ge=0, le=7 * 86400)
    stale: Seconds = Field(default=0.0, ge=0, le=7 * 86400)


class Clock(_Source):
    """Due time, in the briefing's time zone."""

    kind: Literal["clock"]
    say: str = Field(default="{{ date }}、{{ weekday }}。", max_length=20_000)
    fallback: str = ""


class Feed(_Source):
    """An RSS or Atom feed over HTTP."""

    kind: Literal["feed"]
    url: str = Field(max_length=2000)
    items: int = Field(default=5, ge=1, le=100)
    say: str = Field(default="{% for item in items %}{{ item.title | sentence }}\n{% endfor %}", max_length=20_000)


class Json(_Source):
    """A JSON document over HTTP, as ``data``."""

    kind: Literal["json"]
    url: str = Field(max_length=2000)


class File(_Source):
    """A local text file (UTF-8), as ``text`` and ``lines``, or JSON as ``data``."""

    kind: Literal["file"]
    path: str = Field(max_length=1000)
    format: Literal["text", "json"] = "text"
    say: str = Field(default="{% for line in lines %}{{ line }}\n{% endfor %}", max_length=20_000)


class Command(_Source):
    """Output of a program (UTF-8), as ``text`` and ``lines``; only if the deployment allows commands."""

    kind: Literal["command"]
    argv: tuple[str, ...] = Field(min_length=1, max_length=100)
    format: Literal["text", "json"] = "text"
    say: str = Field(default="{% for line in lines %}{{ line }}\n{% endfor %}", max_length=20_000)


Source = Annotated[Clock | Feed | Json | File | Command, Field(discriminator="kind")]


class Network(_Frozen):
    """Hosts that this briefing's sources may reach: ``www.example.jp`` or ``*.example.jp``."""

    hosts: tuple[str, ...] = ()


class Template(_Frozen):
    """Main template: every source by its name, and text between."""

    text: str = Field(default="", max_length=100_000)
    file: str = Field(default="", max_length=1000)
    max_characters: int = Field(default=20_000, ge=1, le=200_000)


class Podcast(_Frozen):
    """Feed of a briefing's editions, written beside its index.

    Attributes:
        base_url: public address of the store's root, or of the folder that its keys are served from.
        title, author, description: of the podcast; the briefing's title where there is none.
        image: address of a square picture.
    """

    base_url: str = Field(max_length=1000)
    title: str = Field(default="", max_length=200)
    author: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=4000)
    image: str = Field(default="", max_length=1000)

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        _as_value_error(lambda url: public_url(url, "feed.xml"), value)
        return value


class Delivery(_Frozen):
    """Destination of the audio.

    Attributes:
        store: ``file:///folder`` or ``s3://bucket/prefix``; "" is the deployment's own store.
        key: of an edition, without suffix; ``{name}``, ``{date}`` (2026-11-23) and ``{time}`` (0700) are filled in.
        keep: number of editions that stay.
        keep_days: days after which an edition goes; the latest one always stays.
        audio: formats, loudness, subtitles and so on, as for any job.
        podcast: also write ``feed.xml`` beside the index.
    """

    store: str = Field(default="", max_length=1000)
    key: str = Field(default="briefings/{name}/{date}-{time}", max_length=300)
    keep: int = Field(default=14, ge=1, le=10_000)
    keep_days: int | None = Field(default=None, ge=1, le=36_500)
    audio: Output = Output(formats=("mp3",))
    podcast: Podcast | None = None

    @field_validator("store")
    @classmethod
    def _store(cls, value: str) -> str:
        return _as_value_error(canonical_uri, value) if value else ""

    @field_validator("audio")
    @classmethod
    def _audio(cls, value: Output) -> Output:
        if value.player or value.per_chapter or not value.whole:
            raise ValueError("a briefing is one file; a player page is not available")
        return value

    @field_validator("key")
    @classmethod
    def _key(cls, value: str) -> str:
        if "{date}" not in value or "{time}" not in value:
            raise ValueError("must contain {date} and {time}: every edition needs a key of its own")
        _as_value_error(check_key, edition_key(value, "name", "2026-11-23", "0700"))
        return value


class Briefing(_Frozen):
    """Briefing from its file.

    Attributes:
        name: the file's name unless given; part of job ids and keys.
    """

    name: str = ""
    title: str = Field(default="", max_length=200)
    when: When
    voice: Voice = Voice()
    sources: dict[_SourceName, Source] = Field(default_factory=dict, max_length=30)
    network: Network = Network()
    template: Template
    output: Delivery = Delivery()
    _path: Path = PrivateAttr(default=Path())
    _template_text: str = PrivateAttr(default="")
    _template_offset: int = PrivateAttr(default=0)

    @property
    def path(self) -> Path:
        return self._path

    @property
    def folder(self) -> Path:
        return self._path.parent

    @property
    def template_text(self) -> str:
        return self._template_text

    @property
    def template_offset(self) -> int:
        """Lines of the file above the template's first one."""
        return self._template_offset


def edition_key(pattern: str, name: str, day: str, time: str) -> str:
    """Key pattern with its placeholders filled in; other braces stay and are refused as a key later.

    Raises:
        ValueError: an unknown placeholder.
    """
    key = pattern.replace("{name}", name).replace("{date}", day).replace("{time}", time)
    if "{" in key or "}" in key:
        raise ValueError("allows only {name}, {date} and {time}")
    return key


def load_briefing(path: Path) -> Briefing:
    """Read and check a briefing file.

    Raises:
        InvalidBriefing: not readable, not TOML, a field that is missing, unknown or out of range; with the line.
    """
    path = Path(path)
    text = _read(path)
    document = _parse(text)
    document.setdefault("name", path.stem)
    briefing = _validate(text, document)
    if not NAME.fullmatch(briefing.name):
        hint = "Use 1 to 40 of A-Z a-z 0-9 _ - and begin with a letter or a digit"
        raise InvalidBriefing("not a valid name of a briefing", briefing.name, hint, *place_of(text, ("name",)))
    briefing._path = path.absolute()
    briefing._template_text = _template(briefing, text)
    if not briefing.template.file:
        briefing._template_offset = _lines_above(text)
    return briefing


def load_folder(folder: Path) -> tuple[dict[str, Briefing], dict[Path, InvalidBriefing]]:
    """Briefings by name from every ``*.toml`` of a folder, and errors of the files that do not load."""
    briefings: dict[str, Briefing] = {}
    problems: dict[Path, InvalidBriefing] = {}
    for path in sorted(Path(folder).glob("*.toml")):
        try:
            briefing = load_briefing(path)
            if briefing.name in briefings:
                other = briefings[briefing.name].path.name
                raise InvalidBriefing("two briefings have the same name", briefing.name, f"Rename it; see {other}")
            briefings[briefing.name] = briefing
        except InvalidBriefing as error:
            problems[path] = error
    return briefings, problems


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidBriefing(f"a briefing file is larger than {MAX_FILE_BYTES} bytes", str(path))
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidBriefing(f"cannot read the briefing ({error.strerror})", str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidBriefing("a briefing file is not UTF-8", str(path), "Save it as UTF-8") from error


def _parse(text: str) -> dict[str, Any]:
    try:
        return toml.loads(text)
    except (tomllib.TOMLDecodeError, toml.TooDeep) as error:
        message = str(error)
        found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        place = (int(found[1]), int(found[2])) if found else (0, 0)
        what = message[: found.start()] if found else message
        raise InvalidBriefing(f"not TOML: {what}", "", "See docs/briefings.md", *place) from error


def _validate(text: str, document: dict[str, Any]) -> Briefing:
    try:
        return Briefing.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = tuple(str(part) for part in first["loc"])
        kinds = ("clock", "feed", "json", "file", "command")
        if where[:1] == ("sources",) and len(where) > 2 and where[2] in kinds:
            where = (*where[:2], *where[3:])  # pydantic names the variant of the union too
        value = _shown(first.get("input")) if first["type"] != "missing" else ""
        what = f"{'.'.join(where)}: {first['msg'].removeprefix('Value error, ')}"
        raise InvalidBriefing(what, value, "See docs/briefings.md", *place_of(text, where)) from None


def _shown(value: object) -> str:
    """Value for a message: single ones only, without the credentials that a URI may hold."""
    return re.sub("//[^/@]*@", "//***@", str(value)) if isinstance(value, (str, int, float)) else ""


def _template(briefing: Briefing, text: str) -> str:
    template = briefing.template
    if bool(template.text) == bool(template.file):
        raise InvalidBriefing("the template needs either text or file", "", "", *place_of(text, ("template",)))
    if template.text:
        return template.text
    path = (briefing.folder / template.file).resolve()
    if not path.is_relative_to(briefing.folder.resolve()):
        place = place_of(text, ("template", "file"))
        raise InvalidBriefing("the template is outside the briefing's folder", template.file, "", *place)
    return _read(path)


def _lines_above(text: str) -> int:
    """Lines of the file above the template; TOML drops the line break right after three opening quotes."""
    line, _ = place_of(text, ("template", "text"))
    opens = text.splitlines()[line - 1].rstrip().endswith(('"""', "'''")) if line else False
    return line if opens else max(0, line - 1)


def _as_value_error(check: Callable[[_In], _Out], value: _In) -> _Out:
    """Error of our own checks as a ValueError, for pydantic to report."""
    try:
        return check(value)
    except InvalidInput as error:
        raise ValueError(str(error)) from error
