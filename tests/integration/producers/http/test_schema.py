"""The OpenAPI description against the door, by schemathesis."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.producers.http.conftest import ALICE, House

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
def schema(house: House) -> schemathesis.BaseSchema:
    found = schemathesis.openapi.from_url(f"{house.door.url}/openapi.json")
    return found.include(path_regex="^/v1/(jobs|models|audio)")


described = schemathesis.pytest.from_fixture("schema")


@described.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_description_holds(case: schemathesis.Case) -> None:
    # 503: no worker serves the voice that is asked for; it is described, and no defect.
    checks = [check for check in CHECKS if check is not not_a_server_error]
    answer = case.call_and_validate(checks=checks, headers={"Authorization": f"Bearer {ALICE}"}, timeout=60)
    assert answer.status_code < 500 or answer.status_code in (501, 503), answer.text
