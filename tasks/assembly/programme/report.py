"""Report of a programme in numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from koebin.engine.audio.loudness import Loudness
from koebin.tasks.assembly.programme.files import File
from koebin.tasks.assembly.programme.layout import Layout
from koebin.tasks.assembly.programme.mastering import Master


def make_report(layout: Layout, master: Master, achieved: Loudness, files: Iterable[File]) -> dict[str, Any]:
    """Content of ``Programme.report``."""
    wanted, timeline, gain = layout.wanted, layout.timeline, master.gain
    return {
        "duration_seconds": round(timeline.duration_seconds, 6),
        "sample_rate_hz": timeline.sample_rate_hz,
        "frames": timeline.samples,
        "parts": len(timeline),
        "speakers": timeline.speakers,
        "loudness": {
            "target_lufs": wanted.loudness_lufs,
            "ceiling_dbtp": wanted.true_peak_dbtp,
            "measured_lufs": _rounded(master.measured.integrated_lufs),
            "measured_true_peak_dbtp": _rounded(master.measured.true_peak_dbtp),
            "overshoot_db": _rounded(gain.overshoot_db),
            "gain_db": _rounded(gain.db),
            "limited_db": _rounded(gain.limited_db),
            "lufs": _rounded(achieved.integrated_lufs),
            "true_peak_dbtp": _rounded(achieved.true_peak_dbtp),
        },
        "chapters": chapter_list(layout),
        "files": [
            {
                "name": file.path.name,
                "kind": file.kind,
                "format": file.format,
                "media_type": file.media_type,
                "chapter": file.chapter,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "duration_seconds": round(file.duration_seconds, 6),
            }
            for file in files
        ],
    }


def _rounded(decibels: float) -> float | None:
    return round(decibels, 3) if math.isfinite(decibels) else None


def chapter_list(layout: Layout) -> list[dict[str, Any]]:
    """Chapters with title, place in the whole in seconds, and their own files if any."""
    rate = layout.timeline.sample_rate_hz
    return [
        {
            "number": number,
            "title": layout.title(number),
            "start": round(span.start / rate, 6),
            "end": round(span.end / rate, 6),
            "files": [path.name for path in layout.audio_paths(number)] if layout.wanted.per_chapter else [],
        }
        for number, span in enumerate(layout.timeline.chapters, start=1)
    ]
