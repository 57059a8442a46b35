"""Where voices come from: repositories of the Hugging Face hub, S3 buckets, folders."""

from engine.sources.base import DEFAULT_SOURCE, Source, SourceOptions
from engine.sources.uri import parse

__all__ = ["DEFAULT_SOURCE", "Source", "SourceOptions", "parse"]
