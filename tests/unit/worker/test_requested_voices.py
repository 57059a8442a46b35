"""The voices file: addresses, and display names in any script."""

from __future__ import annotations

from pathlib import Path

import pytest

from koebin.engine.errors import InvalidSettings
from koebin.tasks.settings import Settings, voice_keys
from koebin.worker.requested_voices import RequestedVoice, voices


def written(tmp_path: Path, text: str, *speakers: str) -> tuple[RequestedVoice, ...]:
    path = tmp_path / "voices.toml"
    path.write_text(text, "utf-8")
    return voices(Settings(speakers=speakers, voices=path))


def test_a_line_is_an_address_or_has_a_display_name(tmp_path: Path) -> None:
    lines = ("[voices]", 'sora = "s3://b/x"', 'hana = {uri = "file:///h.aivmx", display_name = "花子"}')
    text = "\n".join([*lines, 'mei = {display_name = "めい"}'])
    assert written(tmp_path, text, "sora", "hana", "mei", "ken") == (
        RequestedVoice("sora", "s3://b/x"),
        RequestedVoice("hana", "file:///h.aivmx", "花子"),
        RequestedVoice("mei", None, "めい"),
        RequestedVoice("ken", None),
    )
    assert written(tmp_path, text, "hana=openai+http://h/v1?model=m&voice=v") == (
        RequestedVoice("hana", "openai+http://h/v1?model=m&voice=v", "花子"),
    )


@pytest.mark.parametrize(
    "line",
    [
        "sora = 3",
        "sora = {url = 'x'}",
        "sora = {uri = 3}",
        "sora = {display_name = 3}",
        'sora = {display_name = "\\u001b"}',
    ],
)
def test_lines_of_another_form_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidSettings, match="sora"):
        written(tmp_path, f"[voices]\n{line}", "sora")


def test_keys_are_told_by_host_and_never_shown() -> None:
    assert voice_keys(" Api.Example.com = k=1 ,h:8000=k2,") == {"api.example.com": "k=1", "h:8000": "k2"}
    for bad in ("planted", "http://h/=planted", "h="):
        with pytest.raises(InvalidSettings) as refused:
            voice_keys(bad)
        assert "planted" not in str(refused.value)
    settings = Settings(voice_keys="h=planted")
    assert settings.source_options().keys == {"h": "planted"}
    assert "planted" not in repr(settings) + repr(settings.source_options())
