"""Documents that VOICEVOX's clients send and expect."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Mora(BaseModel):
    """A mora; lengths in seconds. ``pitch`` is 0.0: the voices predict none that could be set."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    text: str = Field(max_length=10)
    consonant: str | None = Field(default=None, max_length=10)
    consonant_length: float | None = Field(default=None, ge=0.0, le=60.0)
    vowel: str = Field(max_length=10)
    vowel_length: float = Field(ge=0.0, le=60.0)
    pitch: float = 0.0


class AccentPhrase(BaseModel):
    """An accent phrase; ``accent`` is the mora after which the pitch falls, the last one in a flat phrase."""

    model_config = ConfigDict(extra="ignore")

    moras: list[Mora] = Field(min_length=1, max_length=1000)
    accent: int = Field(ge=0)
    pause_mora: Mora | None = None
    is_interrogative: bool = False


Phrases = list[AccentPhrase]


class AudioQuery(BaseModel):
    """All that decides how a text is spoken."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    accent_phrases: Phrases = Field(max_length=1000)
    speedScale: float = Field(default=1.0, ge=0.25, le=4.0)  # noqa: N815 - VOICEVOX's names
    pitchScale: float = Field(default=0.0, ge=-1.0, le=1.0)  # noqa: N815
    intonationScale: float = Field(default=1.0, ge=0.0, le=3.0)  # noqa: N815
    volumeScale: float = Field(default=1.0, ge=0.0, le=10.0)  # noqa: N815
    prePhonemeLength: float = Field(default=0.1, ge=0.0, le=60.0)  # noqa: N815
    postPhonemeLength: float = Field(default=0.1, ge=0.0, le=60.0)  # noqa: N815
    pauseLength: float | None = Field(default=None, ge=0.0, le=60.0)  # noqa: N815
    pauseLengthScale: float = Field(default=1.0, ge=0.0, le=10.0)  # noqa: N815
    outputSamplingRate: int = Field(default=24_000, ge=8_000, le=192_000)  # noqa: N815
    outputStereo: bool = False  # noqa: N815
    kana: str | None = None


class Style(BaseModel):
    """A style, and the number by which clients ask for it."""

    name: str
    id: int = Field(ge=0, lt=2**31)
    type: Literal["talk"] = "talk"


class Features(BaseModel):
    """What a speaker can do."""

    permitted_synthesis_morphing: Literal["NOTHING"] = "NOTHING"


class Speaker(BaseModel):
    """A speaker."""

    name: str
    speaker_uuid: str
    styles: list[Style]
    version: str
    supported_features: Features = Features()


class StyleInfo(BaseModel):
    """Pictures and samples of a style, of which there are none but an empty picture."""

    id: int
    icon: str
    portrait: str | None = None
    voice_samples: list[str] = []


class SpeakerInfo(BaseModel):
    """A speaker's page."""

    policy: str
    portrait: str
    style_infos: list[StyleInfo]
