"""The OpenAPI document is valid, and the service keeps to it whatever it is sent."""

from collections.abc import Iterator

import pytest
import schemathesis
from edge_digits_live.limits import Limits
from edge_digits_live.openapi import document
from hypothesis import HealthCheck, given, settings
from live_meter import STEADY, Watched, watched
from live_service import Running
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance


@pytest.mark.parametrize("token", [False, True])
def test_the_document_is_valid(token: bool) -> None:
    validate(document(Limits(), token))


DOCUMENT = document(Limits(), token=False)
CASES = [
    (method, path, mode)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    for mode in GenerationMode
    # Without a query, or a body with a schema, nothing can be wrong in a request.
    if mode.is_positive
    or any(parameter["in"] == "query" for parameter in operation["parameters"])
    or operation["operationId"] == "move"
]


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_the_service_keeps_to_its_document(service: Running, method: str, path: str, mode: GenerationMode) -> None:
    """Statuses, types and schemas are those of the document for requests that keep to it and for those that do not."""
    keep_to_the_document(service, method, path, mode)


OF_A_METER = [
    case for case in CASES if case[1].startswith(("/api/camera", "/api/readings", "/api/doubts", "/api/prof"))
]


@pytest.fixture(scope="module")
def meter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A service that watches a meter: what the other one answers with 404 is there."""
    with watched(tmp_path_factory.mktemp("meter")) as started:
        started.wait(len(STEADY))
        yield started


@pytest.mark.parametrize(("method", "path", "mode"), [*OF_A_METER, ("get", "/metrics", GenerationMode.POSITIVE)])
def test_a_service_with_a_meter_keeps_to_its_document(
    meter: Watched, method: str, path: str, mode: GenerationMode
) -> None:
    keep_to_the_document(meter.service, method, path, mode)


def keep_to_the_document(service: Running, method: str, path: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{service.url}/api/openapi.json")

    @settings(max_examples=15, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(case=schema[path][method.upper()].as_strategy(generation_mode=mode))
    def keeps(case: schemathesis.Case) -> None:
        # No schema says which bytes are a picture.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    keeps()
