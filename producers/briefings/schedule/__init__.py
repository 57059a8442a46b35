"""Schedules of briefings: due times, journal, lease and progress."""
