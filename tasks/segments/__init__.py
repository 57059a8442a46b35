"""Segments in the store: writing, reading, the quality gate, joints between them."""
