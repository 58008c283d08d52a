"""Refund accounts in and out of Postgres: a handful of statements whatever their number."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from services.refunds import states
from services.refunds.payments import Payment
from services.refunds.policy import Policy
from services.refunds.states import Account, Refund, SettledManually
from services.refunds.timers import next_action_at
from services.runtime import sql
from services.runtime.policies import Policies
from services.runtime.stored import LOCKED, Connection, Entity

QUERIES = sql.load(Path(__file__).with_name("queries.sql"))
Row = dict[str, Any]


class RefundStore:
    """`accounts` holds the state; payments, refunds and attempts are written from it, so that Postgres can refuse what must not be."""

    def __init__(self, policies: Policies[Policy]) -> None:
        self.policies = policies

    async def known(self, connection: Connection, ids: Sequence[str]) -> set[str]:
        """Those of the ids that have an account. Takes no lock."""
        return {row["subscription_id"] for row in await connection.fetch(QUERIES["known"], ids)}

    async def load(self, connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, Entity[Account]]:
        """The accounts, locked in the order of their ids."""
        rows = await connection.fetch(QUERIES["load"] + LOCKED * lock, ids)
        return {
            row["subscription_id"]: Entity(
                row["subscription_id"], row["version"], states.decode(row["details"]), row["wake_at"], row["guarded_wake_at"]
            )
            for row in rows
        }

    async def store(self, connection: Connection, entities: Sequence[Entity[Account]]) -> None:
        """Writes the accounts and everything that people and constraints see of them."""
        written = (
            ("store_accounts", [_account(each) for each in entities]),
            ("store_payments", [_payment(each.state, paid) for each in entities for paid in each.state.payments.values()]),
            ("store_refunds", [self._refund(each, refund) for each in entities for refund in each.state.refunds.values()]),
            ("store_foreign", [row for each in entities for paid in each.state.payments.values() for row in _foreign(each.state, paid)]),
            ("store_attempts", [row for each in entities for refund in each.state.refunds.values() for row in _attempts(refund)]),
        )
        for query, rows in written:
            if rows:
                await connection.execute(QUERIES[query], msgspec.json.encode(rows).decode())

    async def due(self, connection: Connection, now: datetime, seen_through: datetime | None, limit: int) -> list[str]:
        """Accounts to wake, the longest due first. Takes no lock."""
        return [row["subscription_id"] for row in await connection.fetch(QUERIES["due"], now, seen_through, limit)]

    async def next_wake(self, connection: Connection) -> datetime | None:
        """The earliest wake-up of all."""
        earliest: datetime | None = await connection.fetchval(QUERIES["next_wake"])
        return earliest

    def _refund(self, entity: Entity[Account], refund: Refund) -> Row:
        customer, stage = entity.state.customer, refund.stage
        return {
            "refund_id": refund.refund_id,
            "payment_id": refund.payment_id,
            "currency": refund.currency,
            "subscription_id": entity.entity_id,
            "request_ref": refund.request_ref,
            "amount_minor": refund.amount_minor,
            "basis": refund.basis,
            "policy_version": refund.policy_version,
            "version": entity.version,
            "email": None if refund.over else customer.email,
            "locale": customer.locale,
            "state": refund.state,
            "informed_at": refund.informed_at,
            "promise_due_at": refund.promise_due_at,
            "legal_due_at": refund.legal_due_at,
            "told_due_at": refund.told_due_at,
            "owner": refund.owner,
            "next_action_at": next_action_at(refund, self.policies.begun(refund)),
            "deadline_at": refund.deadline_at,
            "escalation": refund.escalation.level,
            "settlement_ref": stage.settlement_ref if isinstance(stage, SettledManually) else None,
        }


def _account(entity: Entity[Account]) -> Row:
    account = entity.state
    return {
        "subscription_id": entity.entity_id,
        "version": entity.version,
        "country": account.customer.country,
        "consumer": account.customer.consumer,
        "open_refunds": sum(not each.over for each in account.refunds.values()),
        "open_cases": sum(each.remind_at is not None for paid in account.payments.values() for each in paid.foreign.values()),
        "wake_at": entity.wake_at,
        "guarded_wake_at": entity.guarded_wake_at,
        "details": msgspec.Raw(states.encode(account)),
    }


def _payment(account: Account, payment: Payment) -> Row:
    return {
        "payment_id": payment.payment_id,
        "subscription_id": account.subscription_id,
        "provider_payment_id": payment.provider_payment_id,
        "currency": payment.currency,
        "captured_minor": payment.captured_minor,
        "captured_at": payment.captured_at,
        "reserved_minor": account.reserved_minor(payment.payment_id),
        "external_minor": account.external_minor(payment.payment_id),
    }


def _foreign(account: Account, payment: Payment) -> list[Row]:
    return [
        {
            "payment_id": payment.payment_id,
            "provider_refund_id": each.provider_refund_id,
            "subscription_id": account.subscription_id,
            "currency": payment.currency,
            "amount_minor": each.amount_minor,
            "provider_status": each.provider_status,
            "seen_at": each.seen_at,
            "owner": each.owner if each.remind_at is not None else None,
            "next_action_at": each.remind_at,
            "deadline_at": each.act_by,
        }
        for each in payment.foreign.values()
    ]


def _attempts(refund: Refund) -> list[Row]:
    return [
        {
            "refund_id": refund.refund_id,
            "attempt": each.number,
            "idempotency_key": each.key,
            "first_sent_at": each.sent_at,
            "provider_refund_id": each.provider_refund_id,
            "raw_status": each.raw_status,
            "failed_at": each.failed_at,
        }
        for each in refund.attempts
    ]
