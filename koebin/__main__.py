"""Entry point of ``python -m koebin``: the ``koebin`` command."""

from koebin.producers.cli import main

if __name__ == "__main__":
    main()
