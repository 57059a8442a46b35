"""Audio to files and back."""
