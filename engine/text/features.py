"""Words in Open JTalk's own terms (NJD features)."""

from __future__ import annotations

from typing import Any

Feature = dict[str, Any]
"""One word: ``string``, ``pos``, ``read``, ``pron``, ``acc``, ``mora_size``, ``chain_flag`` (1: goes on with the accent
phrase before it) and more."""
