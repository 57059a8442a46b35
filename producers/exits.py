"""Exit codes of the ``koebin`` command; ``koebin --help`` lists them."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
"""The job or the command failed."""
INVALID: Final = 2
"""The input, an option or a setting is wrong; nothing was queued."""
UNAVAILABLE: Final = 3
"""The broker, the store or a source cannot be reached or refuses access."""
NOT_FOUND: Final = 4
"""No such job, or no worker serves the speaker."""
PARTIAL: Final = 5
"""Finished, except for some segments, which are listed."""
LEFT_OUT: Final = 6
"""Finished, but parts of the input are silent: letters that cannot be read, pages that are broken."""
INTERRUPTED: Final = 130
