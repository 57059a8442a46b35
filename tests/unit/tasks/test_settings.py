"""Settings: read once, named in the documentation, wrong ones refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from koebin.engine.display import mask
from koebin.engine.errors import InvalidName, InvalidSettings
from koebin.tasks.settings import Settings, load_settings
from koebin.tasks.settings_reference import configuration_markdown
from koebin.worker.requested_voices import voices

ROOT = Path(__file__).resolve().parents[3]


def test_every_variable_is_documented() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == configuration_markdown(), (
        "run: python -m koebin.tasks.settings_reference > docs/configuration.md"
    )


def test_an_unknown_variable_names_the_nearest() -> None:
    with pytest.raises(InvalidSettings, match="KOEBIN_BROKER_URL"):
        load_settings({"KOEBIN_BROKR_URL": "redis://x"})


@pytest.mark.parametrize(
    "name", ["KOEBIN_PORT", "KOEBIN_PORT_80_TCP", "KOEBIN_SERVICE_HOST", "KOEBIN_SERVICE_PORT_HTTP"]
)
def test_what_kubernetes_injects_is_let_be(name: str) -> None:
    load_settings({name: "tcp://10.0.0.1:80"})


def test_a_bad_value_is_named_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOEBIN_VISIBILITY_TIMEOUT", "soon-secret")
    with pytest.raises(InvalidSettings, match="KOEBIN_VISIBILITY_TIMEOUT") as caught:
        load_settings()
    assert "soon-secret" not in str(caught.value)


def test_a_url_where_a_speaker_belongs_is_not_repeated() -> None:
    with pytest.raises(InvalidName) as refused:
        voices(Settings(speakers=("s3://user:hunter2@host/voices",)))
    assert "hunter2" not in str(refused.value)


def test_secrets_are_masked() -> None:
    settings = Settings(
        broker_url="redis://user:hunter2@host:6379/0", s3_secret_access_key="hunter3", hf_token="hunter4"
    )
    assert "hunter" not in repr(settings) + str(settings) + settings.masked_broker()
    assert mask("rediss://:pw@host:1/2?password=pw") == "rediss://***@host:1/2"


def test_speakers_may_carry_their_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOEBIN_SPEAKERS", "mei, sora=s3://voices/sora")
    assert load_settings().speakers == ("mei", "sora=s3://voices/sora")
