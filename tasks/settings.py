"""Settings from ``KOEBIN_*`` environment variables, read once at start (and from nothing else)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from koebin.engine.checked_names import DecoderMode, nearest
from koebin.engine.display import mask
from koebin.engine.errors import InvalidSettings
from koebin.engine.home import expanded
from koebin.engine.s3.options import Checksums
from koebin.engine.sources.base import SourceOptions
from koebin.tasks.message_signing import MessageKeys, parse_keys
from koebin.tasks.own_folder import run_folder, scratch_folder
from koebin.tasks.stores.base import StoreOptions

PREFIX: Final = "KOEBIN_"

# Kubernetes injects these for a Service named "koebin".
_INJECTED: Final = re.compile(r"KOEBIN_(PORT(_.*)?|SERVICE_(HOST|PORT)(_.*)?)")


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _no_url(value: object) -> object:
    if isinstance(value, str) and "://" in value:
        raise PydanticCustomError("path", "a path is expected, not a URL")
    return value


LocalPath = Annotated[Path, BeforeValidator(_no_url)]
"""A URL in the wrong place may hold a password, which an error about a missing file would repeat."""
Commas = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


def voice_keys(value: str) -> dict[str, str]:
    """Keys by host of ``KOEBIN_VOICE_KEYS``.

    Raises:
        InvalidSettings: an entry is not HOST=KEY; the message holds no key.
    """
    keys = {}
    for number, entry in enumerate(filter(None, (entry.strip() for entry in value.split(","))), start=1):
        host, separator, key = entry.partition("=")
        if not separator or not host.strip() or not key.strip() or "/" in host or not key.strip().isprintable():
            hint = "Write HOST=KEY or HOST:PORT=KEY, with commas between"
            raise InvalidSettings("an entry of KOEBIN_VOICE_KEYS cannot be used", f"entry {number}", hint)
        keys[host.strip().lower()] = key.strip()
    return keys


class Settings(BaseSettings):
    """Settings of every process; a producer needs ``broker_url`` and ``store``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    broker_url: SecretStr = Field(
        default=SecretStr(""),
        description="Redis or Valkey: redis://[user:password@]host:port/db, rediss:// for TLS, sentinel://. "
        "Empty: `koebin narrate` starts a private server of its own.",
    )
    result_backend: SecretStr = Field(
        default=SecretStr(""),
        description="Redis in which Celery keeps the results of koebin.synthesize. Empty: the broker.",
    )
    store: str = Field(default="", description="Store for audio: s3://bucket/prefix or file:///folder. Empty: ./out.")
    stores: Commas = Field(
        default=(),
        description="Comma-separated roots under which a worker may write. Empty: KOEBIN_STORE alone.",
    )
    store_document_mode: str = Field(
        default="600",
        pattern="^0?[0-7]{3}$",
        description="Mode of files in a folder that only Koebin reads: plans, texts, segments. 660 where client and "
        "workers are different users of one group.",
    )
    store_file_mode: str = Field(
        default="",
        pattern="^(0?[0-7]{3})?$",
        description="Mode of finished files in a folder. Empty: as the umask says.",
    )
    s3_endpoint_url: str = Field(default="", description="An S3-compatible endpoint. Empty: AWS.")
    s3_region: str = Field(default="", description="Region of the bucket.")
    s3_access_key_id: SecretStr = Field(default=SecretStr(""), description="Empty: boto3's own credential chain.")
    s3_secret_access_key: SecretStr = Field(default=SecretStr(""), description="Empty: boto3's own credential chain.")
    s3_session_token: SecretStr = Field(
        default=SecretStr(""), description="Of temporary credentials. Empty: boto3's own credential chain."
    )
    s3_path_style: bool | None = Field(
        default=None,
        description="Whether a bucket is part of the path instead of the host name. Empty: if an endpoint is set.",
    )
    s3_checksums: Checksums = Field(
        default="auto",
        description="when_required for servers that refuse or spoil the checksums which boto3 adds by itself; auto "
        "notices a refusal.",
    )
    s3_encryption: Literal["", "AES256", "aws:kms"] = Field(default="", description="Server-side encryption.")
    s3_kms_key_id: str = Field(default="", description="KMS key for aws:kms.")

    speakers: Commas = Field(
        default=(), description="Comma-separated speakers a worker serves, each NAME or NAME=URI of its voice."
    )
    assemble: bool = Field(default=False, description="Whether a worker also assembles finished jobs.")
    voices: LocalPath | None = Field(
        default=None, description="TOML file with a [voices] table: speaker name = URI of its voice."
    )
    device: str = Field(
        default="cpu", description="cpu, cuda (the first GPU that no other worker of this machine has) or cuda:N."
    )
    device_shared: bool = Field(
        default=False,
        description="Whether workers that all set this may use the same GPU. Otherwise each claims one for itself.",
    )
    decoder: DecoderMode = Field(
        default="float32",
        description="Arithmetic of a JP-Extra voice's decoder: tf32 and float16 on CUDA, bfloat16 (with "
        "koebin[bfloat16]) on a CPU with units for it. All but float32 are less exact. Elsewhere it is float32.",
    )
    threads: int = Field(default=0, ge=0, le=1024, description="Utterances at once on a CPU. 0: the cores.")
    max_loaded: int = Field(default=0, ge=0, description="Most voices in memory at once. 0: all.")
    batch_texts: int | None = Field(
        default=None,
        ge=0,
        le=256,
        description="Most single texts (koebin.synthesize, 200 characters or fewer) that a worker takes to speak them "
        "together; 0 or 1: one by one. Empty: 64 on CUDA, on a CPU as many as it speaks at once (KOEBIN_THREADS).",
    )
    cache: LocalPath = Field(default=Path("~/.cache/koebin"), description="Cache folder for fetched voices.")
    bert: str = Field(
        default="hf://lemondouble/hayakoe", description="Source of BERT for voices whose own source has none."
    )
    offline: bool = Field(default=False, description="Never fetch a voice; use the cache alone.")
    hf_token: SecretStr = Field(default=SecretStr(""), description="Token for private voices on the hub.")
    voice_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Comma-separated HOST=KEY or HOST:PORT=KEY for voices over HTTP; each key goes to its host alone.",
    )

    visibility_timeout: float = Field(
        default=30.0,
        ge=2.0,
        le=3600.0,
        description="Seconds after which the work of a worker that no longer answers goes to another one.",
    )
    time_limit: float = Field(
        default=1800.0,
        ge=1.0,
        description="Seconds after which a chunk's process is killed and the chunk tried again. Assembling may take as "
        "much longer as the programme lasts.",
    )
    load_timeout: float = Field(
        default=900.0, ge=5.0, description="Seconds that building and warming up the engine may take."
    )
    grace_period: float = Field(
        default=20.0, ge=0.0, description="Seconds after SIGTERM in which a chunk may finish before it is given back."
    )
    max_tasks_per_child: int = Field(
        default=0, ge=0, description="Number of tasks after which a process is replaced. 0: never."
    )
    max_memory_per_child: int = Field(
        default=0, ge=0, description="Resident MiB above which a process is replaced after its task. 0: never."
    )
    sweep_interval: float = Field(
        default=5.0, ge=0.2, le=300.0, description="Seconds between two searches for lost work."
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port on which a worker serves /metrics for Prometheus. 0: none."
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address on which a worker serves /metrics.")
    run_dir: LocalPath | None = Field(
        default=None,
        description="Folder for a worker's own state; `koebin health` reads it. It must be this user's, and nobody "
        "else may write to it. Empty: koebin in $XDG_RUNTIME_DIR, or else /tmp/koebin-UID.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Lowest level that is logged."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Format of the log; json writes one object per line."
    )
    traces: str = Field(
        default="",
        description="Where spans of OpenTelemetry go: otlp (to where OTEL_EXPORTER_OTLP_* say), file:///path (a line "
        "of JSON each), global (the embedding application's own). Empty: none are made.",
    )
    briefings: LocalPath = Field(default=Path("briefings"), description="Folder of briefing files, for `koebin beat`.")
    briefing_hosts: Commas = Field(
        default=("*",),
        description="Comma-separated hosts (www.example.jp, *.example.jp) that briefings may fetch from; each briefing "
        "also lists its own.",
    )
    briefing_networks: Commas = Field(
        default=(), description="Comma-separated private networks (10.1.0.0/16) that briefings may reach."
    )
    briefing_files: Commas = Field(
        default=(),
        description="Comma-separated folders that briefings may read files from. Empty: each briefing's own.",
    )
    briefing_commands: bool = Field(default=False, description="Whether briefings may run commands.")
    message_keys: SecretStr = Field(
        default=SecretStr(""),
        description="Keys that sign messages and job documents, name:secret joined by commas; the first one signs. "
        "Then workers take nothing else, but for what has no signature if the word unsigned is among them. "
        "Empty: nothing is signed.",
    )
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Key of the HMAC-SHA256 signature of webhooks."
    )
    webhook_private: bool = Field(
        default=False, description="Whether a webhook may go to a private or loopback address."
    )

    http_host: str = Field(default="127.0.0.1", description="Address on which `koebin serve` listens.")
    http_port: int = Field(default=8080, ge=0, le=65535, description="Port on which it listens. 0: any that is free.")
    http_keys: LocalPath | None = Field(
        default=None,
        description="TOML file with the keys of `koebin serve`; see docs/http.md. Empty: no key is asked for, and only "
        "this machine is listened to.",
    )
    http_open: bool = Field(
        default=False, description="Whether `koebin serve` may listen to other machines without asking for keys."
    )
    http_hosts: Commas = Field(
        default=(),
        description="Comma-separated names under which it is reached, besides those of this machine; asked for where "
        "there are no keys.",
    )
    http_origins: Commas = Field(
        default=(), description="Comma-separated origins (https://app.example.jp) whose pages may use it. Empty: none."
    )
    http_voices: Commas = Field(
        default=(),
        description="Comma-separated further names of voices, each NAME=SPEAKER or NAME=SPEAKER:STYLE (alloy=mei).",
    )
    http_input_characters: int = Field(
        default=4096, ge=1, le=100_000, description="Longest input of /v1/audio/speech, in characters."
    )
    http_upload_bytes: int = Field(
        default=32 << 20, ge=1024, description="Largest upload; a key may have a lower limit of its own."
    )
    http_upload_timeout: float = Field(
        default=120.0, ge=1.0, description="Seconds that a request's body may take to arrive."
    )
    http_window: int = Field(
        default=8,
        ge=1,
        le=1024,
        description="Parts of texts that it keeps in a speaker's queue for each of its workers.",
    )
    http_patience: float = Field(
        default=60.0, ge=1.0, description="Seconds without a new sentence after which a request is ended with an error."
    )
    http_presign: int = Field(
        default=0,
        ge=0,
        le=7 * 24 * 3600,
        description="Seconds for which it signs URLs of files in S3, to redirect to. 0: it hands them out itself.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings

    def store_uri(self) -> str:
        """Store of this process's jobs, as a canonical URI."""
        from koebin.tasks.stores.uri import canonical_uri

        if self.store and "://" not in self.store:
            return canonical_uri(expanded(self.store).resolve().as_uri())
        return canonical_uri(self.store or (Path.cwd() / "out").as_uri())

    def store_roots(self) -> tuple[str, ...]:
        """Roots below which a worker may write."""
        return self.stores or (self.store_uri(),)

    def signing_keys(self) -> MessageKeys:
        """Raises: InvalidSettings: what stands there is no list of keys."""
        return parse_keys(self.message_keys.get_secret_value())

    def store_options(self) -> StoreOptions:
        return StoreOptions(
            message_keys=self.signing_keys(),
            document_mode=int(self.store_document_mode, 8),
            file_mode=int(self.store_file_mode, 8) if self.store_file_mode else None,
            endpoint=self.s3_endpoint_url,
            region=self.s3_region,
            access_key_id=self.s3_access_key_id.get_secret_value(),
            secret_access_key=self.s3_secret_access_key.get_secret_value(),
            session_token=self.s3_session_token.get_secret_value(),
            path_style=self.s3_path_style,
            checksums=self.s3_checksums,
            encryption=self.s3_encryption,
            kms_key_id=self.s3_kms_key_id,
        )

    def run_folder(self) -> Path:
        """Folder for the state of this user's workers; it may not be there yet."""
        return run_folder(self.run_dir)

    def scratch_folder(self) -> Path:
        """Folder for what workers write while they assemble, which may be large."""
        return scratch_folder(self.run_dir)

    def micro_batch_size(self) -> int:
        """Most single texts in one micro-batch, 1 or more."""
        from koebin.engine.tts import available_cores

        if self.batch_texts is not None:
            return max(1, self.batch_texts)
        return 64 if self.device.startswith("cuda") else self.threads or available_cores()

    def source_options(self) -> SourceOptions:
        """Options for fetching voices; S3 sources use the same endpoint and credentials as the store."""
        return SourceOptions(
            expanded(self.cache),
            offline=self.offline,
            hub_token=self.hf_token.get_secret_value(),
            keys=voice_keys(self.voice_keys.get_secret_value()),
            s3_endpoint=self.s3_endpoint_url,
            s3_region=self.s3_region,
            s3_access_key_id=self.s3_access_key_id.get_secret_value(),
            s3_secret_access_key=self.s3_secret_access_key.get_secret_value(),
            s3_session_token=self.s3_session_token.get_secret_value(),
            s3_path_style=self.s3_path_style,
            s3_checksums=self.s3_checksums,
        )

    def masked_broker(self) -> str:
        """Broker URL without user and password."""
        return mask(self.broker_url.get_secret_value())


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings.

    Args:
        environment: what is checked for unknown names; the values come from the process's environment.
        overrides: settings given on a command line; they win.

    Raises:
        InvalidSettings: an unknown ``KOEBIN_*`` variable (names the nearest), or a bad value. Values of secrets are
            never repeated.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in environment if environment is not None else os.environ:
        if name.startswith(PREFIX) and name not in known and not _INJECTED.fullmatch(name):
            close = nearest(name, known, 1)
            hint = f"Did you mean {close[0]}?" if close else "See docs/configuration.md"
            raise InvalidSettings("unknown environment variable", name, hint)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise InvalidSettings(f"{name}: {first['msg']}", "", "See docs/configuration.md") from None
