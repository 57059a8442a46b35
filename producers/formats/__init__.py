"""Readers of input formats, each giving a script."""
