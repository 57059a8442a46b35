"""Acoustic models: from an analysed utterance to samples."""
