"""Stores that a worker may write to: below its roots, and no others."""

from __future__ import annotations

from collections.abc import Callable

from koebin.engine.errors import StoreNotAllowed
from koebin.tasks.settings import Settings
from koebin.tasks.stores.base import Store
from koebin.tasks.stores.uri import open_store, under_root


def store_opener(settings: Settings) -> Callable[[str], Store]:
    """Function that opens stores below this worker's roots and no others; each is kept, for its connections.

    Their modules are imported here and not by a thread of the parent, see
    ``koebin.worker.parent.webhook_sender.WebhookSender``.

    Raises:
        BackendMissing: a root needs a package that is not installed.
    """
    opened = {root: open_store(root, options=settings.store_options()) for root in settings.store_roots()}

    def open_allowed(uri: str) -> Store:
        if uri not in opened:
            if not under_root(uri, settings.store_roots()):
                raise StoreNotAllowed(
                    "this worker must not write to that store", uri, "Add its root to KOEBIN_STORES of the worker"
                )
            opened[uri] = open_store(uri, options=settings.store_options())
        return opened[uri]

    return open_allowed
