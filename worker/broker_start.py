"""Look at the broker as a worker starts.

What is wrong is logged. Without the rights that it needs a worker does not start.
"""

from __future__ import annotations

import logging

from redis import Redis
from redis.exceptions import RedisError

from koebin.engine.errors import ConfigurationError
from koebin.tasks.broker_findings import RIGHTS, broker_findings
from koebin.tasks.rights import USEFUL

log = logging.getLogger(__name__)


def look_at_broker(redis: Redis, shown: str) -> None:
    """Log what ``koebin doctor`` would find.

    Args:
        shown: the broker's address without credentials.

    Raises:
        ConfigurationError: the user lacks rights without which work would be lost or stand still.
    """
    lacking = []
    try:
        for found in broker_findings(redis, shown):
            if not found.ok:
                log.warning("%s: %s. %s", found.check, found.detail, found.hint)
                if found.check == RIGHTS and USEFUL not in found.detail:
                    lacking.append(found)
    except RedisError as error:  # it has answered a moment ago: an outage, which is waited for
        log.warning("the broker could not be looked at: %s", type(error).__name__)
    if lacking:
        rights = "; ".join(found.detail for found in lacking)
        raise ConfigurationError(f"the broker's user lacks rights: {rights}"[:500], shown, lacking[0].hint)
