"""Exit codes of a worker; the numbers are those of sysexits.h."""

from __future__ import annotations

from typing import Final

OK: Final = 0
ENGINE: Final = 70
"""The engine could not be built three times in a row; the log has the reason."""
DEAF: Final = 75
"""The worker no longer consumed, or its process hung; a service manager should restart it."""
