"""Podcast feeds: RSS 2.0 with the tags of Apple Podcasts and of the podcast namespace.

Sources: https://help.apple.com/itc/podcasts_connect/ (itunes) and
https://podcasting2.org/docs/podcast-namespace (podcast).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from koebin.engine.errors import InvalidOption

FEED_NAME: Final = "feed.xml"
_NAMESPACES: Final = {
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "podcast": "https://podcastindex.org/namespace/1.0",
    "atom": "http://www.w3.org/2005/Atom",
}
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "m4b": "audio/mp4",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
}
"""Of enclosures, the best known first."""
TRANSCRIPTS: Final[Mapping[str, str]] = {"vtt": "text/vtt", "srt": "application/x-subrip"}
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")

for _prefix, _uri in _NAMESPACES.items():
    ElementTree.register_namespace(_prefix, _uri)


@dataclass(frozen=True, slots=True)
class Show:
    """A podcast.

    Attributes:
        link: of its page, or of the feed's folder.
        feed: address of the feed itself.
        image: address of a square picture, "" for none.
        serial: its episodes are to be heard from the first to the last.
        category, subcategory: of Apple's list.
        medium: of the podcast namespace's list.
    """

    title: str
    link: str
    feed: str
    description: str = ""
    author: str = ""
    image: str = ""
    language: str = "ja"
    serial: bool = False
    category: str = "Arts"
    subcategory: str = "Books"
    medium: str = "audiobook"


@dataclass(frozen=True, slots=True)
class Episode:
    """An episode of a podcast.

    Attributes:
        guid: stays the same for ever, wherever the files move.
        published: aware.
        bytes: size of the sound file.
        number: its place in a serial, 0 for none.
        transcript, chapters: addresses, "" for none.
    """

    guid: str
    title: str
    published: datetime
    url: str
    media_type: str
    bytes: int
    seconds: float
    number: int = 0
    description: str = ""
    transcript: str = ""
    chapters: str = ""


def feed(show: Show, episodes: Iterable[Episode]) -> bytes:
    """The feed as a document, its episodes in the order given."""
    rss = ElementTree.Element("rss", {"version": "2.0"})
    channel = ElementTree.SubElement(rss, "channel")
    _add(channel, "title", show.title)
    _add(channel, "link", show.link)
    _add(channel, "description", show.description or show.title)
    _add(channel, "language", show.language)
    _add(channel, "generator", "Koebin")
    ElementTree.SubElement(
        channel, _name("atom:link"), {"href": show.feed, "rel": "self", "type": "application/rss+xml"}
    )
    if show.author:
        _add(channel, "itunes:author", show.author)
    if show.image:
        ElementTree.SubElement(channel, _name("itunes:image"), {"href": show.image})
    category = ElementTree.SubElement(channel, _name("itunes:category"), {"text": show.category})
    ElementTree.SubElement(category, _name("itunes:category"), {"text": show.subcategory})
    _add(channel, "itunes:explicit", "false")
    _add(channel, "itunes:type", "serial" if show.serial else "episodic")
    _add(channel, "podcast:medium", show.medium)
    for episode in episodes:
        _add_episode(channel, episode)
    ElementTree.indent(rss)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(rss, encoding="unicode").encode() + b"\n"


def podcast_chapters(chapters: Sequence[Mapping[str, Any]]) -> bytes:
    """Chapters of an episode as the podcast namespace has them, from ``{"start", "title"}`` in seconds."""
    rows = [{"startTime": round(float(each["start"]), 3), "title": str(each["title"])} for each in chapters]
    return json.dumps({"version": "1.2.0", "chapters": rows}, ensure_ascii=False, indent=1).encode()


def public_url(base: str, name: str) -> str:
    """Address of a file below the public base address, in the characters that addresses may have.

    Raises:
        InvalidOption: the base is no http address.
    """
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise InvalidOption("not a public base address", base, "Use https://host/path")
    place = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
    return f"{parts.scheme}://{_host(parts.netloc)}{place}/{quote(name)}"


def _host(place: str) -> str:
    """Host and port, a name in other letters as the name system has it."""
    try:
        return place if place.isascii() else place.encode("idna").decode()
    except UnicodeError as error:
        raise InvalidOption("not a public base address", place, "Use https://host/path") from error


def _add_episode(channel: ElementTree.Element, episode: Episode) -> None:
    item = ElementTree.SubElement(channel, "item")
    _add(item, "title", episode.title)
    _add(item, "description", episode.description or episode.title)
    ElementTree.SubElement(item, "guid", {"isPermaLink": "false"}).text = _clean(episode.guid)
    _add(item, "pubDate", format_datetime(episode.published))
    ElementTree.SubElement(
        item, "enclosure", {"url": episode.url, "length": str(episode.bytes), "type": episode.media_type}
    )
    _add(item, "itunes:duration", str(max(1, round(episode.seconds))))
    if episode.number:
        _add(item, "itunes:episode", str(episode.number))
    if episode.transcript:
        kind = TRANSCRIPTS[episode.transcript.rpartition(".")[2]]
        ElementTree.SubElement(
            item, _name("podcast:transcript"), {"url": episode.transcript, "type": kind, "language": "ja"}
        )
    if episode.chapters:
        chapters = {"url": episode.chapters, "type": "application/json+chapters"}
        ElementTree.SubElement(item, _name("podcast:chapters"), chapters)


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, _name(name)).text = _clean(text)


def _name(name: str) -> str:
    prefix, colon, local = name.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}" if colon else name


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("", text)
