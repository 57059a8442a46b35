"""Reference of the settings, as ``docs/configuration.md``.

``python -m koebin.tasks.settings_reference > docs/configuration.md`` writes it.
"""

from __future__ import annotations

import typing
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from koebin.tasks.settings import PREFIX, Settings

_HEAD = """# Configuration

Every setting is an environment variable; nothing is read from files. An unknown `KOEBIN_*` variable is an error that
names the nearest known one (but for those that Kubernetes injects for a Service called `koebin`: `KOEBIN_PORT*`,
`KOEBIN_SERVICE_*`). Options of a command win over variables. Made by `python -m koebin.tasks.settings_reference`; a
test compares.

| variable | default | meaning |
|---|---|---|
"""


def configuration_markdown() -> str:
    """Whole page as Markdown."""
    rows = [_row(PREFIX + name.upper(), field) for name, field in Settings.model_fields.items()]
    return _HEAD + "\n".join(rows) + "\n"


def _row(variable: str, field: FieldInfo) -> str:
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{variable}` | {_default(field.default)} | {meaning}{_choices(field.annotation)} |"


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value in ("", (), None):
        return ""
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _choices(annotation: Any) -> str:
    if typing.get_origin(annotation) is not typing.Literal:
        return ""
    return " One of " + ", ".join(f"`{choice}`" for choice in typing.get_args(annotation) if choice) + "."


if __name__ == "__main__":
    print(configuration_markdown(), end="")  # noqa: T201 - the page itself
