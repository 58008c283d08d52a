"""What others may publish by mistake or in malice, and what becomes of it: one disposition, one reason."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from offramp_schemas import TOPIC_OF, Envelope, Event, encode
from offramp_schemas.account import SubscriptionChanged
from offramp_schemas.activity import InactivityDetected
from offramp_schemas.base import Contact
from offramp_schemas.envelope import MAX_EVENT_BYTES
from offramp_schemas.payment import PaymentFailed
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested, Requester

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
SUBJECT, ENDED = "sub_bad", "sub_ended"
SOURCE = "//elsewhere"
CARD = "4242 4242 4242 4242"

FAILED = PaymentFailed(payment_id="pay_x", invoice_id="in_x", amount_minor=1900, currency="EUR", decline_code="declined", kind="soft")
CANCEL = CancellationRequested(reference="CAN-1", requested_by=Requester(user_id="usr_bad"))
REFUND = RefundRequested(request_ref="REF-1", payment_id="pay_in_paid", amount_minor=100)
UNUSED = InactivityDetected(last_seen_at=NOW, inactive_days=60)
CHANGED = SubscriptionChanged(
    customer_id="cus_bad", owner_id="usr_bad", contact=Contact(email="bad@example.com", name="Ada"), plan="pro", plan_name="Pro",
    price_minor=1900, currency="EUR", country="DE", consumer=True,
)  # fmt: skip


@dataclass(frozen=True)
class Bad:
    """A record and what becomes of it: a disposition of the inbox, or the reason of its dead letter."""

    name: str
    becomes: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    reader: str

    @property
    def event_id(self) -> str:
        return dict(self.headers).get("ce_id", b"").decode(errors="replace")


def bad(
    name: str,
    becomes: str,
    event: Event = FAILED,
    *,
    subject: str = SUBJECT,
    data: dict[str, Any] | None = None,
    headers: dict[str, bytes | None] | None = None,
    **replaced: bytes | None,
) -> Bad:
    """The event with something replaced: a field of its `data`, a header (None: left out), the `value` or the `key`."""
    key, value, encoded = encode(Envelope(f"bad-{name.replace(' ', '-')}", SOURCE, NOW, subject, event))
    if data is not None:
        value = json.dumps({name: each for name, each in (json.loads(value) | data).items() if each != "left out"}).encode()
    kept = {header: text for header, text in (dict(encoded) | (headers or {})).items() if text is not None}
    topic = TOPIC_OF[type(event)]
    reader = "refunds" if "lifecycle" not in topic.consumers else "lifecycle"
    return Bad(name, becomes, topic.name, replaced.get("key", key), replaced.get("value", value), list(kept.items()), reader)


def _large(size: int) -> bytes:
    frame = FAILED.model_dump(mode="json") | {"invoice_id": "in_large", "extra": ""}
    return json.dumps(frame | {"extra": "x" * (size - len(json.dumps(frame)))}).encode()


def records_at(now: datetime) -> tuple[Bad, ...]:
    """All of them, of that time."""
    return tuple(replace(each, headers=[(name, _at(now) if text == _at(NOW) else text) for name, text in each.headers]) for each in ALL)


def _at(moment: datetime) -> bytes:
    return moment.isoformat().encode()


ALL = (
    bad("empty", "empty", value=b""),
    bad("null", "empty", value=None),
    bad("truncated", "not_json", value=b'{"payment_id": "pay'),
    bad("invalid UTF-8", "not_json", value=b'{"payment_id": "\xff"}'),
    bad("an array", "not_an_object", value=b"[]"),
    bad("a scalar", "not_an_object", value=b"7"),
    bad("NaN", "not_json", data={"amount_minor": float("nan")}),
    bad("Infinity", "not_json", data={"extra": float("inf")}),
    bad("as large as allowed", "applied", value=_large(MAX_EVENT_BYTES)),
    bad("too large", "too_large", value=_large(MAX_EVENT_BYTES + 1)),
    bad("no key", "wrong_key", key=None),
    bad("another key", "wrong_key", key=b"sub_other"),
    bad("no id", "missing_id", headers={"ce_id": None}),
    bad("no time", "missing_time", headers={"ce_time": None}),
    bad("no subject", "missing_subject", headers={"ce_subject": None}),
    bad("no envelope", "not_a_cloudevent", headers={"ce_specversion": None}),
    bad("a missing field", "invalid_data", data={"invoice_id": "left out"}),
    bad("a wrong type", "invalid_data", data={"invoice_id": 7}),
    bad("true as text", "invalid_data", CANCEL, data={"wants_refund": "true"}),
    bad("an unknown type", "unknown_type", headers={"ce_type": b"offramp.subscription.exploded.v1"}),
    bad("a later version", "unknown_version", headers={"ce_type": b"offramp.subscription.payment-failed.v2"}),
    bad("another topic's", "wrong_topic", headers={"ce_type": b"offramp.refund.refund-requested.v1"}),
    bad("extra fields", "applied", data={"invoice_id": "in_extra", "colour": "green", "nested": {"a": [1]}}),
    bad("NUL in a text", "invalid_data", CANCEL, data={"comment": "a\x00b"}),
    bad("a negative amount", "invalid_data", data={"amount_minor": -1}),
    bad("no amount", "invalid_data", data={"amount_minor": 0}),
    bad("half a cent", "invalid_data", data={"amount_minor": 0.5}),
    bad("2 to the 63rd", "invalid_data", data={"amount_minor": 2**63}),
    bad("an unknown currency", "invalid_data", data={"currency": "XXX"}),
    bad("a currency without cents", "applied", data={"invoice_id": "in_yen", "currency": "JPY"}),
    bad("more back than was paid", "applied", REFUND, data={"request_ref": "REF-2", "amount_minor": 10_000_000}),
    bad("in another currency", "wrong_currency", REFUND, data={"request_ref": "REF-3", "currency": "USD"}),
    bad("not theirs to ask", "not_allowed", REFUND, data={"request_ref": "REF-4", "cause": "goodwill"}),
    bad("in ten years", "from_the_future", headers={"ce_time": b"2036-05-04T09:00:00Z"}),
    bad("at the epoch", "too_old", headers={"ce_time": b"1970-01-01T00:00:00Z"}),
    bad("no time zone", "bad_time", headers={"ce_time": b"2026-05-04T09:00:00"}),
    bad("out of order", "ignored", CHANGED, headers={"ce_time": b"2026-05-01T09:00:00Z"}),
    bad("after the end", "ignored", subject=ENDED),
    bad("a line break in a name", "invalid_data", CHANGED, data={"contact": {"email": "a@example.com", "name": "Ada\r\nBcc: b@x.com"}}),
    bad("several recipients", "invalid_data", CHANGED, data={"contact": {"email": "a@example.com,b@example.com", "name": "Ada"}}),
    bad("a line break in the subject", "missing_subject", headers={"ce_subject": b"sub\r\nBcc: b@example.com"}),
    bad("a script", "applied", REFUND, data={"request_ref": "REF-5", "comment": "<script>alert(1)</script>"}),
    bad("a template", "applied", REFUND, data={"request_ref": "REF-6", "comment": "{{7*7}} {0.__class__} ${x}"}),
    bad("a card number", "applied", CANCEL, data={"comment": f"my card is {CARD}"}),
)  # fmt: skip
