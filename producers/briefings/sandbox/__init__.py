"""Sandboxed child process for foreign feeds and templates."""
