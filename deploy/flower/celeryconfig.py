"""Configuration of Flower beside Koebin's workers, which listen to an exchange of their own."""

from __future__ import annotations

control_exchange = "koebin"
accept_content = ["json"]
