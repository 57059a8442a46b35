"""The one ladder of errors, for every task: who pays (``koebin.tasks.errors_table``), and how."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from celery.exceptions import Reject

from koebin.engine.errors import (
    GiveBack,
    JobCancelled,
    KoebinError,
    LeaseLost,
    StoreFull,
    StoreNotFound,
    TransientError,
)
from koebin.tasks import traces
from koebin.tasks.broker.delayed_messages import Message, delay_message
from koebin.tasks.broker.fleet import fleet
from koebin.tasks.broker.unreadable_messages import keep_unreadable
from koebin.tasks.connection import OUTAGE
from koebin.tasks.errors_table import TRIES, Payer, as_ours, is_certain, payer
from koebin.tasks.message_signing import NO_KEYS, MessageKeys
from koebin.tasks.retry_policy import delay_seconds
from koebin.tasks.running.runtime import Runtime

log = logging.getLogger(__name__)

T = TypeVar("T")

_LINKS: Final = ("callbacks", "errbacks", "chain", "chord")
_HEADERS: Final = ("group", "expires", traces.HEADER)
_CANVAS: Final = ("root_id", "parent_id", "group_index")
"""Of a message that is sent again: what follows on it, and who waits for it."""


@dataclass(frozen=True, slots=True)
class TaskTerms:
    """Terms of a task: what the tasks differ in.

    Attributes:
        message: the task's own, to be sent again.
        job: "" for a single text.
        needs: speaker, and the revisions of model and engine; "" for none, see ``Fleet.able``.
        fail: the end of the text or of the job; may raise, for Celery to store.
        elsewhere: errors that say that another kind of worker is wanted, and what is done with the work.
        parks: whether the message is none that is worth a job's end, since the ledger does not know the job.
    """

    message: Message
    job: str
    needs: tuple[str, str, str]
    fail: Callable[[KoebinError], object]
    elsewhere: tuple[tuple[type[KoebinError], ...], Callable[[KoebinError], object]] = ((), lambda _: None)
    parks: Callable[[Exception], bool] = lambda _: False


def run(runtime: Runtime, terms: TaskTerms, work: Callable[[], T]) -> T | None:
    """Do the work, or what its error asks for.

    Returns:
        What the work gives; None if it was put off, parked or cancelled, or its job has failed.

    Raises:
        Reject: the message goes back, or is left to the worker that has taken it over.
        redis.RedisError, kombu.exceptions.OperationalError: Redis is away.
        KoebinError: of ``TaskTerms.fail``.
    """
    try:
        result = work()
    except JobCancelled:
        runtime.leases.forget(terms.message.task_id)
        log.info("stopped: the job was cancelled", extra={"job": terms.job})
        return None
    except LeaseLost as error:
        raise Reject(str(error), requeue=False) from error
    except GiveBack as error:
        raise Reject(str(error), requeue=True) from error
    except OUTAGE:
        raise
    except Exception as error:  # noqa: BLE001 - who pays for what nobody foresaw is in the table, too
        runtime.observer.error(error)
        _pay(runtime, terms, error)
        return None
    runtime.doubts.succeeded()
    return result


def _pay(runtime: Runtime, terms: TaskTerms, error: Exception) -> None:
    who = payer(error)
    kinds, otherwise = terms.elsewhere
    if who is None and not isinstance(error, kinds):
        log.exception("the task stumbled", extra={"job": terms.job})
    if who is Payer.WORLD:
        runtime.doubts.failed(error)
        _put_off(runtime, terms, as_ours(error))
    elif terms.parks(error):
        log.error("parked a message of a job that the ledger does not know: %s", error)
        keep_unreadable(runtime.redis, str(error), terms.message.request)
    elif isinstance(error, kinds):
        otherwise(as_ours(error))
    elif who in (Payer.WORKER, None) or isinstance(error, StoreNotFound):  # what is not there may be in a moment
        _decline(runtime, terms, error)
    else:
        _fail(runtime, terms, as_ours(error))


def _decline(runtime: Runtime, terms: TaskTerms, error: Exception) -> None:
    """The worker is guilty before its task is: the task fails when every worker that may run it has declined it."""
    if not is_certain(error):
        runtime.doubts.failed(error)
    ours = as_ours(error)
    declined = runtime.leases.decline(terms.message.task_id, runtime.worker, str(ours))
    others = fleet(runtime.redis).able(*terms.needs) - declined.keys()
    if others or (not is_certain(error) and sum(declined.values()) < TRIES):
        _put_off(runtime, terms, ours)
    else:
        _fail(runtime, terms, ours)


def _fail(runtime: Runtime, terms: TaskTerms, error: KoebinError) -> None:
    try:
        terms.fail(error)
    except (TransientError, StoreFull) as trouble:  # how the job ended is to stand in its store
        log.warning("the end cannot be stored: %s", trouble, extra={"job": terms.job})
        _put_off(runtime, terms, error)


def _put_off(runtime: Runtime, terms: TaskTerms, error: KoebinError) -> None:
    """Acknowledge now and send the message again later: what is not the task's fault neither burns its attempts nor
    holds its message."""
    seconds = delay_seconds(runtime.leases.count_delay(terms.message.task_id))
    delay_message(runtime.redis, terms.message, seconds)
    runtime.observer.retry(terms.message.task)
    log.warning("tried again in %.0f s: %s", seconds, error, extra={"job": terms.job})
    if terms.job:
        runtime.ledger.wait_for(terms.job, f"{error} (next try in {seconds:.0f} s)")


def message_of(runtime: Runtime, task: Any, name: str, request: dict[str, Any], queue: str) -> Message:
    """The message that is being handled, to be sent once more."""
    found = task.request
    priority = int((found.delivery_info or {}).get("priority") or 0)
    links = {link: value for link in _LINKS if (value := found.get(link))}
    headers = {header: value for header in _HEADERS if (value := found.get(header)) is not None}
    if links or "group" in headers:
        headers |= {header: value for header in _CANVAS if (value := found.get(header)) is not None}
    keys: MessageKeys = getattr(runtime.send, "keys", NO_KEYS)
    headers |= keys.sign_message(name, found.id or "", [request], {}, links)
    return Message(name, found.id or "", request, queue, priority, links, headers)
