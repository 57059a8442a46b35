"""Bounds on what comes from outside, one place for each kind; ``docs/limits.md`` lists them."""

from __future__ import annotations

from typing import Final

JSON_DEPTH: Final = 100
JSON_DIGITS: Final = 1_000

VOICE_CONFIG_BYTES: Final = 1 << 20
"""A voice's configuration; real ones have some kilobytes."""
STYLE_VECTORS_BYTES: Final = 16 << 20
"""Decoded; 32 styles of float32 are 32 KiB."""
VOICE_FILE_BYTES: Final = 2 << 30
"""One file of a voice; the largest published is 260 MB."""
VOICE_FILE_SECONDS: Final = 3600.0
"""Of the download of one file."""
AIVM_HEADER_BYTES: Final = 128 << 20
"""Header of an .aivm: the tensors' names, and the manifest with its pictures and samples."""
AIVM_MANIFEST_BYTES: Final = 96 << 20
"""The manifest of an .aivm or .aivmx, with pictures and samples in base64."""
AIVM_TEXT_CHARS: Final = 200_000
"""A licence in full."""
AIVM_SPEAKERS: Final = 1_000
AIVM_STYLES: Final = 32
"""Of one speaker, as the format says."""

XML_DEPTH: Final = 500
"""Elements inside of each other; books by converters nest some dozens."""
XML_ENTITY_CHARS: Final = 100_000
"""Characters that a document's own entities may add to it."""
XML_ATTRIBUTE_CHARS: Final = 1_000_000
"""Of one start tag."""

ARCHIVE_FILES: Final = 20_000
ARCHIVE_FILE_BYTES: Final = 32 << 20
ARCHIVE_TOTAL_BYTES: Final = 512 << 20
ARCHIVE_RATIO: Final = 200
"""A page of text shrinks to a tenth; what shrinks to less than this was made to burst."""

INPUT_BYTES: Final = 64 << 20
"""A text file; ten million characters, the longest text that is taken, are less."""
INPUT_FILES: Final = 1_000
"""Files that one folder or pattern may name."""
BOOK_BYTES: Final = 2 << 30
"""An EPUB, DOCX or PDF, most of which is pictures."""

TOML_DEPTH: Final = 100
"""Tables and lists inside of each other."""
TOML_KEYS: Final = 60
"""Names joined by dots in one key."""

READING_CHARS: Final = 1_000
"""A reading as it is written beside a word."""

TABLE_CELL_CHARS: Final = 100_000
TABLE_ROWS: Final = 200_000

PDF_PAGES: Final = 5_000
PDF_PAGE_CHARS: Final = 100_000

PICTURE_PIXELS: Final = 50_000_000

UNREADABLE_SHARE: Final = 0.05
"""A file of which more cannot be read was decoded wrongly, and is refused."""
UNREADABLE_FEWEST: Final = 20
"""Fewer characters are left out of a file however short it is."""

MESSAGE_BYTES: Final = 8 << 20
"""A message's body; a worker reads no longer one."""
ENVELOPE_BYTES: Final = 12 << 20
"""A message as it lies in the broker; base64 makes of its body a third more."""
TASK_ID_CHARS: Final = 255
HEADER_CHARS: Final = 4_000
"""Of one header of a message."""
CANVAS_SIGNATURES: Final = 1_000
"""Tasks that are linked to one, directly."""
TIME_LIMIT_FLOOR_SECONDS: Final = 10.0
"""A message's own time limit is never taken for less: ending a process costs building its engine again."""
TEXT_SECONDS: Final = 3600.0
"""Predicted length of a single text with its pauses, which a worker joins in memory: at 48 kHz 0.7 GB."""
HOLD_SECONDS: Final = 366 * 24 * 3600.0
"""An ETA lies no farther in the future."""

REMOTE_ANSWER_BYTES: Final = 64 << 20
"""One sentence of a remote voice; 300 s of 16-bit audio at 96 kHz are 58 MB."""
REMOTE_JSON_BYTES: Final = 8 << 20
"""Whatever else a server of voices says."""
REMOTE_AUDIO_SECONDS: Final = 300.0
"""Longest sentence of a remote voice."""
REMOTE_RECENT_BYTES: Final = 64 << 20
"""Samples of a remote voice's latest sentences that are kept in memory."""


STORE_OBJECT_BYTES: Final = 1 << 30
"""An object of a store that is read whole: documents, segments, covers. Deliverables are copied piece by piece."""
SEGMENT_SECONDS: Final = 3600.0
"""A stored segment; 20,000 characters, the longest, are about an hour at half speed."""
SAMPLE_RATE_HZ: Final = 384_000
"""Highest rate of sound that is read back."""
