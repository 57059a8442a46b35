"""The OpenAPI description against the door, by schemathesis."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.producers.http.conftest import ALICE, House

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_the_description_holds(house: House) -> None:
    schema = schemathesis.openapi.from_url(f"{house.door.url}/openapi.json")
    operations = [found.ok() for found in schema.include(path_regex="^/v1/").get_all_operations()]
    assert len(operations) >= 10
    for operation in operations:

        @settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def holds(case: schemathesis.Case) -> None:
            headers = {"Authorization": f"Bearer {ALICE}"}
            answer = case.call_and_validate(checks=CHECKS, headers=headers, timeout=60)
            # 503: no worker serves the voice that was made up. It is described, and no defect.
            assert answer.status_code < 500 or answer.status_code in (501, 503), (case, answer.text)

        holds()
