"""The provider's webhooks. An authentic one says where to look, as ProviderRefundUpdated; no status or amount in it is believed.

It is answered with 200 once that is stored. A provider that hears anything else sends it again, and the same event twice is one event.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from aiohttp import web
from prometheus_client import Counter

from offramp_schemas import TOPIC_OF, TYPE_OF, Envelope, encode
from offramp_schemas.refund_provider import ProviderRefundUpdated
from services.refunds.providers import signature
from services.refunds.store import QUERIES
from services.runtime import dead_letters
from services.runtime.apply import Shell
from services.runtime.decision import id_of
from services.runtime.fold import FOLLOW_UPS, Emitted, shard_of
from services.runtime.records import pack_headers
from services.runtime.telemetry import REGISTRY

PATH = "/webhooks/provider"
SOURCE = "//offramp/refunds/webhooks"
RECEIVED = Counter("offramp_webhooks", "Webhooks of the payment provider, by what became of them", ["result"], registry=REGISTRY)
Result = Literal["heard", "not_ours", "another_matter", "unreadable", "not_authentic"]


class Refund(msgspec.Struct, frozen=True):
    """As much of Stripe's refund as tells which one it is."""

    id: str
    payment_intent: str | None = None
    charge: str | None = None
    metadata: dict[str, str] | None = None


class Data(msgspec.Struct, frozen=True):
    """What the event is about; of any kind."""

    object: dict[str, Any]


class Webhook(msgspec.Struct, frozen=True):
    """Stripe's event, whatever its type."""

    id: str
    created: int
    data: Data


class Webhooks:
    """The door. Several secrets are in force while one replaces another."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self.secrets = tuple(secrets)

    async def take(self, request: web.Request, shell: Shell[Any]) -> web.Response:
        """POST /webhooks/provider. Whoever is not the provider learns nothing, not even why."""
        body = await request.read()
        if not signature.authentic(request.headers.get(signature.HEADER, ""), body, self.secrets):
            return _answer("not_authentic", 401)
        try:
            read = _read(body)
        except (msgspec.DecodeError, ValueError, OverflowError, OSError):
            return _answer("unreadable", 400)
        if read is None:
            return _answer("another_matter", 200)
        return _answer("heard" if await _publish(shell, *read) else "not_ours", 200)


def _answer(result: Result, status: int) -> web.Response:
    RECEIVED.labels(result).inc()
    return web.Response(status=status)


def _read(body: bytes) -> tuple[ProviderRefundUpdated, list[str]] | None:
    """What it is about, and the provider's names of the charge; None: something else than a refund. The same webhook reads the same."""
    event = msgspec.json.decode(body, type=Webhook)
    if event.data.object.get("object") != "refund":
        return None
    refund = msgspec.convert(event.data.object, Refund)
    word = ProviderRefundUpdated(
        provider_refund_id=refund.id,
        provider_payment_id=refund.payment_intent or refund.charge,
        refund_id=_id_of_ours(refund.metadata or {}),
        provider_event_id=event.id,
        provider_event_at=datetime.fromtimestamp(event.created, UTC),
    )
    return word, [each for each in (refund.payment_intent, refund.charge) if each]


def _id_of_ours(written: Mapping[str, str]) -> str | None:
    """Others may write under that name whatever they like."""
    try:
        return str(UUID(written.get("refund_id", "")))
    except ValueError:
        return None


async def _publish(shell: Shell[Any], word: ProviderRefundUpdated, charges: Sequence[str]) -> bool:
    """To the subscription whose refund or payment it is, by our own books. A charge that we never heard of is no business of ours."""
    async with shell.pool.acquire() as connection, connection.transaction():
        found = await connection.fetchrow(QUERIES["subscription_of"], word.provider_refund_id, charges)
        if found is None:
            return False
        word = word.model_copy(update={"provider_payment_id": found["provider_payment_id"]})
        now = await shell.clock.now(connection)
        key, payload, headers = encode(Envelope(word.provider_event_id, SOURCE, now, found["subscription_id"], word))
        id_, kind = id_of(FOLLOW_UPS, f"{SOURCE}|{word.provider_event_id}"), type(word)
        row = Emitted(shard_of(key), id_, TOPIC_OF[kind].name, TYPE_OF[kind], key, payload, pack_headers(headers))
        await dead_letters.emit(connection, shell.service, [row])
    return True
