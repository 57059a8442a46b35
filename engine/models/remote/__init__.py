"""Voices that another server speaks with, over HTTP."""
