"""Scores of front ends on public sentences with readings and accents."""
