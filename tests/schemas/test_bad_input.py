"""Whatever is not an event of its topic gets one reason and nothing else happens."""

import json
from typing import Any

import pytest

from offramp_schemas import BadRecord, Reason, examples
from offramp_schemas.account import SubscriptionStarted
from offramp_schemas.activity import InactivityDetected
from offramp_schemas.envelope import MAX_EVENT_BYTES
from offramp_schemas.payment import PaymentFailed
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested
from tests.schemas.records import Record, binary, structured

PAYMENT = json.loads(examples.path(PaymentFailed).read_text())


def reason_for(record: Record) -> Reason:
    with pytest.raises(BadRecord) as refused:
        record.decoded()
    return refused.value.reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"", Reason.EMPTY, id="empty"),
        pytest.param(b" ", Reason.NOT_JSON, id="blank"),
        pytest.param(b'{"payment_id":', Reason.NOT_JSON, id="cut off"),
        pytest.param(b'{"payment_id":"\xff"}', Reason.NOT_JSON, id="not UTF-8"),
        pytest.param(b'{"payment_id":"\\ud800"}', Reason.NOT_JSON, id="half a surrogate pair"),
        pytest.param(b"\xef\xbb\xbf{}", Reason.NOT_JSON, id="a byte order mark"),
        pytest.param(b"[" * 100_000, Reason.NOT_JSON, id="nested without end"),
        pytest.param(b"[]", Reason.NOT_AN_OBJECT, id="an array"),
        pytest.param(b"3", Reason.NOT_AN_OBJECT, id="a number"),
        pytest.param(b'"text"', Reason.NOT_AN_OBJECT, id="a text"),
        pytest.param(b"null", Reason.NOT_AN_OBJECT, id="null"),
        pytest.param(b"NaN", Reason.NOT_JSON, id="NaN alone"),
        pytest.param(json.dumps(PAYMENT | {"amount_minor": float("nan")}).encode(), Reason.NOT_JSON, id="NaN in a field"),
        pytest.param(json.dumps(PAYMENT | {"extra": float("inf")}).encode(), Reason.NOT_JSON, id="Infinity in an unknown field"),
        pytest.param(json.dumps(PAYMENT | {"extra": "x" * MAX_EVENT_BYTES}).encode(), Reason.TOO_LARGE, id="too large"),
    ],
)
def test_a_value_that_is_no_json_object_is_refused(value: bytes, reason: Reason) -> None:
    assert reason_for(binary(PaymentFailed, value=value)) is reason


def test_a_null_value_is_refused() -> None:
    good = binary(PaymentFailed)
    assert reason_for(Record(good.topic, good.key, None, good.headers)) is Reason.EMPTY


def test_a_value_of_exactly_the_largest_size_is_read() -> None:
    frame = len(json.dumps(PAYMENT | {"extra": ""}).encode())
    value = json.dumps(PAYMENT | {"extra": "x" * (MAX_EVENT_BYTES - frame)}).encode()
    assert len(value) == MAX_EVENT_BYTES
    assert binary(PaymentFailed, value=value).decoded().data == examples.load(PaymentFailed)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param(binary(PaymentFailed, without="ce_id"), Reason.MISSING_ID, id="no id"),
        pytest.param(binary(PaymentFailed, headers={"ce_id": b""}), Reason.MISSING_ID, id="an empty id"),
        pytest.param(binary(PaymentFailed, headers={"ce_id": b"a b"}), Reason.MISSING_ID, id="a space in the id"),
        pytest.param(binary(PaymentFailed, headers={"ce_id": b"a\x00"}), Reason.MISSING_ID, id="NUL in the id"),
        pytest.param(binary(PaymentFailed, headers={"ce_id": b"x" * 201}), Reason.MISSING_ID, id="an endless id"),
        pytest.param(binary(PaymentFailed, without="ce_source"), Reason.MISSING_SOURCE, id="no source"),
        pytest.param(
            binary(PaymentFailed, headers={"ce_source": b"web\r\nBcc: x"}), Reason.MISSING_SOURCE, id="a line break in the source"
        ),
        pytest.param(binary(PaymentFailed, without="ce_type"), Reason.MISSING_TYPE, id="no type"),
        pytest.param(
            binary(PaymentFailed, headers={"ce_type": b"offramp.subscription.sold.v1"}), Reason.UNKNOWN_TYPE, id="an unknown type"
        ),
        pytest.param(
            binary(PaymentFailed, headers={"ce_type": b"offramp.subscription.payment-failed.v2"}),
            Reason.UNKNOWN_VERSION,
            id="a later version",
        ),
        pytest.param(
            binary(PaymentFailed, headers={"ce_type": b"offramp.subscription.payment-failed"}),
            Reason.UNKNOWN_TYPE,
            id="a type without version",
        ),
        pytest.param(binary(PaymentFailed, topic="refund.request.v1"), Reason.WRONG_TOPIC, id="another topic's event"),
        pytest.param(binary(PaymentFailed, without="ce_time"), Reason.MISSING_TIME, id="no time"),
        pytest.param(binary(PaymentFailed, without="ce_subject"), Reason.MISSING_SUBJECT, id="no subject"),
        pytest.param(
            binary(PaymentFailed, headers={"ce_subject": b"sub\r\nBcc: x@example.com"}),
            Reason.MISSING_SUBJECT,
            id="a line break in the subject",
        ),
        pytest.param(binary(PaymentFailed, headers={"ce_subject": b"sub_other"}), Reason.WRONG_KEY, id="another subject than key"),
        pytest.param(binary(PaymentFailed, without="ce_specversion"), Reason.NOT_A_CLOUDEVENT, id="no specversion"),
        pytest.param(binary(PaymentFailed, headers={"ce_specversion": b"0.3"}), Reason.NOT_A_CLOUDEVENT, id="an old specversion"),
        pytest.param(binary(PaymentFailed, headers={"ce_source": b"\xff"}), Reason.NOT_A_CLOUDEVENT, id="a header that is not UTF-8"),
        pytest.param(binary(PaymentFailed, headers={"content-type": b"text/plain"}), Reason.NOT_A_CLOUDEVENT, id="another content type"),
        pytest.param(structured(PaymentFailed, id=None), Reason.MISSING_ID, id="structured, no id"),
        pytest.param(structured(PaymentFailed, id=7), Reason.MISSING_ID, id="structured, a number as id"),
        pytest.param(structured(PaymentFailed, time=None), Reason.MISSING_TIME, id="structured, no time"),
        pytest.param(structured(PaymentFailed, specversion="2.0"), Reason.NOT_A_CLOUDEVENT, id="structured, a new specversion"),
        pytest.param(structured(PaymentFailed, data=None), Reason.NOT_AN_OBJECT, id="structured, no data"),
        pytest.param(structured(PaymentFailed, data=[PAYMENT]), Reason.NOT_AN_OBJECT, id="structured, a list of data"),
        pytest.param(structured(PaymentFailed, data=json.dumps(PAYMENT)), Reason.NOT_AN_OBJECT, id="structured, data as text"),
    ],
)
def test_an_envelope_that_lacks_something_is_refused_and_nothing_is_invented(record: Record, reason: Reason) -> None:
    assert reason_for(record) is reason


@pytest.mark.parametrize("key", [None, b"", b"sub_other", b"\xff"])
def test_a_record_without_its_subject_as_key_is_refused(key: bytes | None) -> None:
    good = binary(PaymentFailed)
    assert reason_for(Record(good.topic, key, good.value, good.headers)) is Reason.WRONG_KEY


def test_a_null_header_is_refused() -> None:
    good = binary(PaymentFailed)
    headers: list[tuple[str, Any]] = [*good.headers, ("ce_causationid", None)]
    assert reason_for(Record(good.topic, good.key, good.value, headers)) is Reason.NOT_A_CLOUDEVENT


@pytest.mark.parametrize(
    "time",
    [
        "2026-05-01",
        "2026-05-01T09:14:00",
        "2026-05-01 09:14:00Z",
        "2026-05-01T09:14Z",
        "2026-02-30T09:14:00Z",
        "20260501T091400Z",
        "2026-W18-5T09:14:00Z",
        "2026-05-01T09:14:00+2",
        "1777626840",
        "yesterday",
        "٢٠٢٦-05-01T09:14:00Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_a_time_that_is_not_rfc_3339_with_a_zone_is_refused(time: str) -> None:
    assert reason_for(binary(PaymentFailed, headers={"ce_time": time.encode()})) is Reason.BAD_TIME


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", "2036-05-01T09:14:00Z"])
def test_a_time_of_long_ago_or_far_ahead_is_read_and_left_to_the_shell_to_judge(time: str) -> None:
    assert binary(PaymentFailed, headers={"ce_time": time.encode()}).decoded().time.year in {1970, 2036}


@pytest.mark.parametrize(
    ("event", "field", "value"),
    [
        (PaymentFailed, "payment_id", None),
        (PaymentFailed, "payment_id", ""),
        (PaymentFailed, "payment_id", "pay\r\nBcc: x@example.com"),
        (PaymentFailed, "payment_id", 7),
        (PaymentFailed, "amount_minor", 0),
        (PaymentFailed, "amount_minor", -4900),
        (PaymentFailed, "amount_minor", 49.0),
        (PaymentFailed, "amount_minor", "4900"),
        (PaymentFailed, "amount_minor", True),
        (PaymentFailed, "amount_minor", 2**63),
        (PaymentFailed, "currency", "XXX"),
        (PaymentFailed, "currency", "eur"),
        (PaymentFailed, "kind", "medium"),
        (PaymentFailed, "card_last4", "42424"),
        (RefundRequested, "cause", "because"),
        (InactivityDetected, "last_seen_at", "2026-04-02T07:55:00"),
        (InactivityDetected, "last_seen_at", "1775116500"),
        (InactivityDetected, "last_seen_at", 1775116500),
        (InactivityDetected, "last_seen_at", "9999-12-31T23:59:59-05:00"),
        (InactivityDetected, "inactive_days", 0),
        (CancellationRequested, "wants_refund", "true"),
        (CancellationRequested, "wants_refund", 1),
        (CancellationRequested, "feedback", ["unused"] * 4),
        (CancellationRequested, "feedback", ["bored"]),
        (CancellationRequested, "comment", "a\x00b"),
        (CancellationRequested, "comment", "x" * 4001),
        (CancellationRequested, "requested_by", {"user_id": "usr_aoife", "role": "admin"}),
        (CancellationRequested, "requested_by", {"user_id": "usr_aoife", "name": "Aoife\r\nBcc: x@example.com"}),
        (SubscriptionStarted, "contact", {"email": "a@example.com, b@example.com", "name": "Aoife"}),
        (SubscriptionStarted, "contact", {"email": "a@example.com\nBcc: b@example.com", "name": "Aoife"}),
        (SubscriptionStarted, "contact", {"email": "Aoife <a@example.com>", "name": "Aoife"}),
        (SubscriptionStarted, "contact", {"email": "nobody", "name": "Aoife"}),
        (SubscriptionStarted, "country", "ie"),
    ],
)
def test_data_that_does_not_fit_its_schema_is_refused(event: Any, field: str, value: object) -> None:
    record = binary(event, data={field: value})
    with pytest.raises(BadRecord) as refused:
        record.decoded()
    assert refused.value.reason is Reason.INVALID_DATA
    assert refused.value.message.startswith(field)


@pytest.mark.parametrize("field", [name for name, info in PaymentFailed.model_fields.items() if info.is_required()])
def test_a_missing_field_is_named(field: str) -> None:
    value = json.dumps({name: each for name, each in PAYMENT.items() if name != field}).encode()
    with pytest.raises(BadRecord, match=f"{field}: Field required"):
        binary(PaymentFailed, value=value).decoded()


def test_the_message_never_repeats_what_may_be_personal() -> None:
    record = binary(SubscriptionStarted, data={"contact": {"email": "aoife.byrne", "name": "Aoife Byrne"}})
    with pytest.raises(BadRecord) as refused:
        record.decoded()
    assert "aoife" not in refused.value.message.lower()


def test_a_bad_record_still_says_which_event_it_is() -> None:
    with pytest.raises(BadRecord) as refused:
        binary(PaymentFailed, data={"amount_minor": 0}).decoded()
    assert (refused.value.source, refused.value.id) == ("billing", "018f2a5e-9d1c-7c43-8f2b-6a1de0c4b7a9")


@pytest.mark.parametrize(
    "comment", ["<script>alert(1)</script>", "{{7*7}} {0.__class__}", "Robert'); drop table mails;--", "zażółć 🙂\r\nline two"]
)
def test_a_comment_may_say_anything_that_is_text(comment: str) -> None:
    data = binary(CancellationRequested, data={"comment": comment}).decoded().data
    assert isinstance(data, CancellationRequested)
    assert data.comment == comment


def test_fields_nobody_knows_are_left_out_and_the_event_goes_on() -> None:
    spoiled = binary(CancellationRequested, data={"x_campaign": {"deep": [1]}, "requested_by": {"user_id": "usr_aoife", "x_shoe_size": 38}})
    dumped = spoiled.decoded().data.model_dump_json()
    assert "x_" not in dumped
