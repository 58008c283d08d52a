"""The provider's own list beside ours: one refund for each key, none that we don't know, none that we only believe in."""

from collections import Counter
from typing import Any

import aiohttp

from services.console import clock
from services.console.database import Database, Row
from services.console.violation import Violation

_OVER = {"failed", "canceled"}
Theirs = dict[str, Any]


async def differences(database: Database, url: str) -> list[Violation]:
    """What violates I9. `url`: of a sandbox provider. Raises Trouble where it does not answer."""
    ours = await database.rows("refunds", "attempts")  # before the provider is asked, which may then have more and never less
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        listed = (await clock.request(session, "GET", f"{url.rstrip('/')}/sandbox/refunds"))["data"]
    made_by_us = [each for each in listed if each.get("metadata", {}).get("refund_id")]
    known = {row["idempotency_key"]: row for row in await database.rows("refunds", "attempts")}
    found = (
        ("refunds_of_one_key", "refunds at the provider that share an idempotency key", _of_one_key(made_by_us)),
        ("paid_twice", "refunds at the provider that are for the same refund of ours and have not failed", _of_one_refund(made_by_us)),
        ("unknown_to_us", "a refund at the provider that is not what one of our attempts asked for", _unknown(made_by_us, known)),
        ("unknown_to_them", "an attempt of ours that names a refund which the provider does not have", _missing(ours, made_by_us)),
    )
    return [Violation(check, "refunds", meaning, rows) for check, meaning, rows in found if rows]


def _of_one_key(listed: list[Theirs]) -> list[Row]:
    counted = Counter(each["idempotency_key"] for each in listed)
    return [{"idempotency_key": key, "refunds": count} for key, count in counted.items() if count > 1]


def _of_one_refund(listed: list[Theirs]) -> list[Row]:
    counted = Counter(each["metadata"]["refund_id"] for each in listed if each["status"] not in _OVER)
    return [{"refund_id": refund_id, "refunds": count} for refund_id, count in counted.items() if count > 1]


def _unknown(listed: list[Theirs], known: dict[str, Row]) -> list[Row]:
    return [
        {"id": each["id"], "idempotency_key": each["idempotency_key"], "amount_minor": each["amount"], "payment": each["payment_intent"]}
        for each in listed
        if (row := known.get(each["idempotency_key"])) is None
        or (row["amount_minor"], row["provider_payment_id"]) != (each["amount"], each["payment_intent"])
    ]


def _missing(ours: list[Row], listed: list[Theirs]) -> list[Row]:
    theirs = {each["id"] for each in listed}
    return [row for row in ours if row["provider_refund_id"] is not None and row["provider_refund_id"] not in theirs]
