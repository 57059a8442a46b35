"""``python -m producers`` is ``koebin``."""

from producers.cli import main

main()
