"""Encoding and decoding of audio files.

WAV (RF64 above 4 GB), FLAC, MP3 and Ogg Opus through libsndfile; M4A and M4B through PyAV, with the extra ``m4b``.
The same samples give the same bytes.
"""

from koebin.engine.audio.encoding.segments import decode_segment, encode_segment
from koebin.engine.audio.encoding.tags import Chapter, Cover, Tags
from koebin.engine.audio.encoding.whole import encode_audio, save_audio
from koebin.engine.audio.encoding.writer import Encoding, Writer, open_writer
from koebin.engine.audio.formats import FORMATS, Format, find_format

__all__ = [
    "FORMATS",
    "Chapter",
    "Cover",
    "Encoding",
    "Format",
    "Tags",
    "Writer",
    "decode_segment",
    "encode_audio",
    "encode_segment",
    "find_format",
    "open_writer",
    "save_audio",
]
