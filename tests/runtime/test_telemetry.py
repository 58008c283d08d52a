"""Logs are JSON with allow-listed fields: whatever else is said to them is left out."""

import json

import pytest
import structlog

from services.runtime import telemetry


@pytest.fixture(autouse=True)
def _restored() -> object:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_payload_or_an_address_never_reaches_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("lifecycle", "info")
    structlog.get_logger().info("batch stored", topic="subscription.payment.v1", email="ada@example.com", payload={"card": "4242"})
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["service"], line["topic"]) == ("batch stored", "lifecycle", "subscription.payment.v1")
    assert not {"email", "payload"} & line.keys()
