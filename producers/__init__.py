"""Producers of jobs: the client, the command line, input formats and briefings."""
