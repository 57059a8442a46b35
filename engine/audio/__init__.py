"""Audio after synthesis: samples, marks, loudness, subtitles and encoding."""
