"""Template rendering in Jinja2's sandbox.

Whatever a template prints is made harmless (`koebin.producers.briefings.sandbox.sanitise`), so markup comes from the
template itself and never from a feed. Only texts and numbers can be printed: a null, a list or an undefined name is
an error, not a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from koebin.engine.errors import InvalidText
from koebin.engine.text.checks import check_text, has_speech
from koebin.engine.text.unreadable import find_unreadable
from koebin.producers.briefings.sandbox.sanitise import plain, sentence

_GLOBALS: Final = ("range", "dict", "namespace")


class RenderFailed(Exception):
    """The template cannot be compiled or rendered; ``line`` is 1-based, 0 if unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message, line)
        self.message = message
        self.line = line

    def __str__(self) -> str:
        return self.message


class SpokenText(str):
    """Text of a source: it comes from the briefing's own template, so its markup is kept.

    Attributes:
        ok: False: this is the fallback text.
    """

    __slots__ = ("ok",)
    ok: bool

    def __new__(cls, text: str, ok: bool) -> SpokenText:
        spoken = super().__new__(cls, text)
        spoken.ok = ok
        return spoken


def render(template: str, sources: Mapping[str, Mapping[str, Any]], max_characters: int) -> dict[str, Any]:
    """Render every source, then the whole.

    Args:
        sources: by name, ``{"say": template, "values": {...} or None, "fallback": text}``; None speaks the fallback.

    Returns:
        ``{"text": str, "sources": {name: {"ok": bool, "text": str, "problem": str}}}``.

    Raises:
        RenderFailed: the main template fails, or gives more than ``max_characters``.
    """
    said: dict[str, dict[str, Any]] = {}
    for name, source in sources.items():
        said[name] = _say(source, max_characters)
    spoken = {name: SpokenText(each["text"], each["ok"]) for name, each in said.items()}
    return {"text": _rendered(template, spoken, max_characters), "sources": said}


def problems(templates: Mapping[str, str]) -> dict[str, str]:
    """Errors of the templates that do not compile."""
    found = {}
    for name, template in templates.items():
        try:
            _compiled(template)
        except RenderFailed as error:
            found[name] = f"{error} (line {error.line} of the template)" if error.line else str(error)
    return found


def _say(source: Mapping[str, Any], max_characters: int) -> dict[str, Any]:
    fallback = {"ok": False, "text": source["fallback"], "problem": ""}
    if source["values"] is None:
        return fallback
    try:
        text = _rendered(source["say"], source["values"], max_characters).strip()
        if text:
            check_text(text, allow_mute=True)
    except RenderFailed as error:
        return {**fallback, "problem": f"say: {error}"}
    except InvalidText as error:
        return {**fallback, "problem": f"it cannot be spoken: {error}"}
    silent = find_unreadable(text)
    if silent and not has_speech(text):
        return {**fallback, "problem": f"it cannot be read: {text[:40]}"}
    told = "、".join(dict.fromkeys(each.text for each in silent))[:80]
    return {"ok": True, "text": text, "problem": f"silent, because it cannot be read: {told}" if told else ""}


def _rendered(template: str, values: Mapping[str, Any], max_characters: int) -> str:
    parts, length = [], 0
    try:
        for part in _compiled(template).generate(values):
            parts.append(part)
            length += len(part)
            if length > max_characters:
                raise RenderFailed(f"more than {max_characters} characters")
    except RenderFailed:
        raise
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise RenderFailed(f"{error}", _line(error)) from error
    return "".join(parts)


def _compiled(template: str) -> Any:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=_finalize, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.globals = {name: environment.globals[name] for name in _GLOBALS}
    environment.filters["sentence"] = lambda text: sentence(plain(str(text)))
    try:
        tree = _Finalised().visit(environment.parse(template))
        return environment.template_class.from_code(
            environment, environment.compile(tree, filename="<template>"), environment.make_globals(None)
        )
    except TemplateSyntaxError as error:
        raise RenderFailed(error.message or "syntax error", error.lineno) from error
    except (TemplateError, SyntaxError, OverflowError, ValueError) as error:
        raise RenderFailed(str(error)) from error


class _Finalised(NodeTransformer):
    """Filter blocks as expressions: what a filter makes of foreign text is finalised like the text itself."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def visit_FilterBlock(self, node: nodes.FilterBlock) -> list[nodes.Node]:  # noqa: N802
        self.generic_visit(node)
        self._count += 1
        name = f"_filtered_{self._count}"
        innermost: Any = node.filter
        while innermost.node is not None:
            innermost = innermost.node
        innermost.node = nodes.Name(name, "load", lineno=node.lineno)
        held = nodes.AssignBlock(nodes.Name(name, "store", lineno=node.lineno), None, node.body, lineno=node.lineno)
        return [held, nodes.Output([node.filter], lineno=node.lineno)]


def _finalize(value: object) -> str:
    if isinstance(value, SpokenText):
        return value
    if isinstance(value, StrictUndefined):
        return str(value)  # raises, with the name
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UndefinedError(f"a {type(value).__name__} cannot be spoken, only texts and numbers can")
    return plain(str(value))


def _line(error: BaseException) -> int:
    """Template line that raised; Jinja2 rewrites the traceback to name it."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
