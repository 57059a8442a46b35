"""Configuration of Celery's own tools, so that they speak with Koebin's workers and with no others.

``CELERY_CONFIG_MODULE=koebin.tasks.broker.celery_tools_config celery --broker "$KOEBIN_BROKER_URL" inspect ping``.
"""

from __future__ import annotations

from koebin.tasks.broker.celery_config import CONTROL_EXCHANGE

control_exchange = CONTROL_EXCHANGE
accept_content = ["json"]
