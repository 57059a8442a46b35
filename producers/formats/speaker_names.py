"""Speaker names and options in an input: who speaks, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final

from koebin.engine.checked_names import check_speaker, nearest
from koebin.engine.errors import InvalidInput, InvalidName, InvalidScript
from koebin.engine.options import SynthesisOptions

OPTION_NAMES: Final = tuple(option.name for option in fields(SynthesisOptions))


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker with the options that hold until an input changes them, and the name that the input has for them."""

    speaker: str
    options: SynthesisOptions = SynthesisOptions()
    name: str = ""

    def with_speaker(self, voice: Voice) -> Voice:
        """Another speaker; a style belongs to a speaker and is not taken along."""
        if voice.options != SynthesisOptions():
            return voice
        return replace(voice, options=replace(self.options, style=""))

    def with_options(self, **changes: Any) -> Voice:
        """Raises: InvalidOption."""
        return replace(self, options=replace(self.options, **changes))


@dataclass(frozen=True, slots=True)
class Cast:
    """The voices of an input.

    Attributes:
        narrator: speaks whatever nobody else does.
        names: what the input calls its speakers, each with its voice.
        closed: only these names and the narrator may speak; otherwise any speaker's own name may be used too.
    """

    narrator: Voice
    names: Mapping[str, Voice] = field(default_factory=lambda: MappingProxyType({}))
    closed: bool = False

    def voice(self, name: str, line: int = 0, column: int = 0) -> Voice:
        """The voice called ``name``.

        Raises:
            InvalidScript: nobody is called that, or it cannot be a name.
        """
        if name in self.names:
            return replace(self.names[name], name=name)
        if name == self.narrator.speaker:
            return self.narrator
        if self.closed:
            known = ", ".join(nearest(name, self.names) or sorted(self.names))
            raise InvalidScript(
                "nobody has this name", name, f"Declare it under [speakers], or use {known}", line, column
            )
        try:
            return Voice(check_speaker(name))
        except InvalidName as error:
            raise InvalidScript(error.what, name, error.hint, line, column) from error


def voice_from(value: object, what: str, base: SynthesisOptions) -> Voice:
    """A voice as a table says it: a speaker's name, or ``{speaker = "…", style = "…", speed = 1.1}``.

    Raises:
        InvalidScript: something else, or an option that is unknown or out of range.
    """
    if isinstance(value, str):
        value = {"speaker": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("speaker"), str):
        raise InvalidScript(f"{what} names no speaker", str(value), 'Write "mei" or { speaker = "mei", speed = 1.1 }')
    options = {key: each for key, each in value.items() if key != "speaker"}
    try:
        return Voice(check_speaker(value["speaker"]), changed(base, options))
    except InvalidScript:
        raise
    except InvalidInput as error:
        raise InvalidScript(f"{what}: {error.what}", error.value, error.hint) from error


def changed(base: SynthesisOptions, options: Mapping[str, object]) -> SynthesisOptions:
    """``base`` with some options changed.

    Raises:
        InvalidScript: an option that does not exist.
        InvalidOption: a value out of its range.
    """
    if not options:
        return base
    for name in options:
        if name not in OPTION_NAMES:
            known = ", ".join(nearest(name, OPTION_NAMES) or OPTION_NAMES)
            raise InvalidScript("there is no such option", name, f"Use {known}")
    if not isinstance(options.get("style", ""), str):
        raise InvalidScript("style is not a text", str(options["style"]), "Use the name of a style")
    return replace(base, **dict(options))  # type: ignore[arg-type]
