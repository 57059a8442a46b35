"""Whatever the environment holds: settings, or an error of our tree that repeats no secret."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from koebin.engine.display import mask
from koebin.engine.errors import InvalidSettings, KoebinError
from koebin.tasks.connection import connect
from koebin.tasks.settings import PREFIX, Settings, load_settings
from koebin.tasks.stores.uri import open_store, under_root
from koebin.worker.requested_voices import voices

SECRET = "hunter2"
NAMES = [PREFIX + name.upper() for name in Settings.model_fields]

# An environment holds any bytes but NUL; what is no UTF-8 arrives as lone surrogates.
anything = st.text(st.characters(exclude_characters="\0", exclude_categories=()), max_size=40).map(
    lambda text: text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
)
near_misses = st.sampled_from(
    [
        "",
        " ",
        "nan",
        "inf",
        "-1",
        "1e400",
        "0x10",
        "true",
        "２",
        "１０",
        "9" * 400,
        ",,,",
        "=",
        "mei=,=x",
        "../..",
        "~",
        "\n",
    ]
)
schemes = st.sampled_from(["redis", "rediss", "sentinel", "unix", "s3", "file", "http", "hf", "", "://"])
urls = st.builds(
    "{}://{}{}/{}".format, schemes, st.sampled_from(["", f"u:{SECRET}@", f":{SECRET}@"]), anything, anything
)
values = anything | near_misses | urls


def refusal(step: Callable[[], object]) -> str:
    """What an error of ours says, "" without one."""
    try:
        step()
    except KoebinError as error:
        return str(error) + repr(error)
    return ""


def use(made: Settings) -> None:
    """Everything that reads a setting before anything is contacted."""
    for step in (
        lambda: voices(made),
        lambda: connect(made.broker_url.get_secret_value()).close(),
        lambda: open_store(made.store_uri(), options=made.store_options()),
        lambda: [under_root("file:///srv/audio", [root]) for root in made.store_roots()],
        made.source_options,
        made.masked_broker,
    ):
        said = refusal(step)
        assert SECRET not in said


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), values, max_size=6))
def test_any_value_gives_settings_or_an_error_of_ours(environment: dict[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with mock.patch.dict(os.environ, kept | environment, clear=True):
        said = refusal(load_settings)
        assert SECRET not in said
        if not said:
            use(load_settings())


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(anything.map(lambda name: PREFIX + name), anything, min_size=1, max_size=3))
def test_any_name_is_known_or_refused(environment: dict[str, str]) -> None:
    with suppress(InvalidSettings):
        load_settings(environment)


@settings(max_examples=100, deadline=None)
@given(urls | anything, urls | anything | near_misses)
def test_any_address_is_taken_or_refused(broker: str, store: str) -> None:
    use(Settings(broker_url=broker, store=store, stores=(store,), s3_endpoint_url=broker))


@settings(max_examples=100, deadline=None)
@given(urls | anything)
def test_no_secret_survives_the_mask(url: str) -> None:
    assert f"{SECRET}@" not in mask(url)
