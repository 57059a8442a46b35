"""Where a briefing gets its news: the clock, feeds, JSON over HTTP, files, commands."""
