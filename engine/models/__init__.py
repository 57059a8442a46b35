"""Acoustic models: what turns an analysed utterance into samples."""
