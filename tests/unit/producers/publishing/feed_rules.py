"""Rules of RSS 2.0, of Apple Podcasts and of the podcast namespace, as far as they can be judged from the feed alone.

Sources: https://www.rssboard.org/rss-specification, https://podcasters.apple.com/support/823-podcast-requirements,
https://podcasting2.org/docs/podcast-namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree

ITUNES = "{http://www.itunes.com/dtds/podcast-1.0.dtd}"
PODCAST = "{https://podcastindex.org/namespace/1.0}"
ATOM = "{http://www.w3.org/2005/Atom}"
SOUNDS = {"audio/mpeg", "audio/mp4", "audio/x-m4a", "audio/ogg", "audio/flac", "audio/wav"}
TRANSCRIPTS = {"text/vtt", "application/x-subrip", "application/srt", "text/html", "application/json"}
MEDIA = {"podcast", "music", "video", "film", "audiobook", "newsletter", "blog"}


def broken(document: bytes) -> list[str]:
    """What breaks a rule."""
    root = ElementTree.fromstring(document)
    if root.tag != "rss" or root.get("version") != "2.0" or len(root) != 1:
        return ["no RSS 2.0"]
    return [*_channel(root[0]), *(fault for item in root[0].iter("item") for fault in _item(item))]


def _channel(channel: ElementTree.Element) -> Iterator[str]:
    for name in ("title", "link", "description", "language", f"{ITUNES}explicit", f"{ITUNES}type", f"{PODCAST}medium"):
        if len(channel.findall(name)) != 1 or not channel.findtext(name, "").strip():
            yield f"not one {name}"
    itself = channel.find(f"{ATOM}link[@rel='self']")
    if itself is None or not _is_address(itself.get("href", "")):
        yield "no address of its own"
    category = channel.find(f"{ITUNES}category")
    if category is None or not category.get("text"):
        yield "no category"
    if channel.findtext(f"{ITUNES}explicit") not in ("true", "false"):
        yield "explicit"
    if channel.findtext(f"{ITUNES}type") not in ("serial", "episodic"):
        yield "type"
    if channel.findtext(f"{PODCAST}medium") not in MEDIA:
        yield "medium"
    if any(not _is_address(image.get("href", "")) for image in channel.findall(f"{ITUNES}image")):
        yield "image"
    guids = [item.findtext("guid") for item in channel.iter("item")]
    if len(set(guids)) != len(guids):
        yield "two episodes with one guid"


def _item(item: ElementTree.Element) -> Iterator[str]:
    for name in ("title", "guid", "pubDate", "enclosure", f"{ITUNES}duration"):
        if len(item.findall(name)) != 1:
            yield f"not one {name}"
    if parsedate_to_datetime(item.findtext("pubDate", "")).tzinfo is None:
        yield "a date without a zone"
    enclosure = item.find("enclosure")
    if enclosure is None or not _is_address(enclosure.get("url", "")) or int(enclosure.get("length", "0")) <= 0:
        yield "enclosure"
    elif enclosure.get("type") not in SOUNDS:
        yield "type of the enclosure"
    if not item.findtext(f"{ITUNES}duration", "").isdigit():
        yield "duration"
    for transcript in item.findall(f"{PODCAST}transcript"):
        if not _is_address(transcript.get("url", "")) or transcript.get("type") not in TRANSCRIPTS:
            yield "transcript"
    for chapters in item.findall(f"{PODCAST}chapters"):
        if not _is_address(chapters.get("url", "")) or chapters.get("type") != "application/json+chapters":
            yield "chapters"


def _is_address(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and address.isascii() and " " not in address
