"""Stores of finished audio: local folders and S3."""
