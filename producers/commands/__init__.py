"""Command groups of ``koebin``, one module each."""
