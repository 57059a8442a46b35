"""Sources of voices: repositories of the Hugging Face hub, S3 buckets, folders."""

from koebin.engine.sources.base import DEFAULT_SOURCE, Source, SourceOptions
from koebin.engine.sources.uri import parse

__all__ = ["DEFAULT_SOURCE", "Source", "SourceOptions", "parse"]
