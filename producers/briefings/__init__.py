"""Briefings: texts composed on a schedule and spoken like any other job.

A briefing is a TOML file (``docs/briefings.md``): when it is due, who speaks, the sources it draws on, the template
that says what, and where the audio goes.
"""
