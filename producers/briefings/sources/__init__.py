"""Sources of a briefing: the clock, feeds, JSON over HTTP, files, commands."""
