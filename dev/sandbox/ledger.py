"""The sandbox's books: payments, refunds, and what was answered to which idempotency key. In SQLite, so that a kill is no amnesia."""

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Refund = dict[str, Any]

_TABLES = """
create table if not exists payments(id text primary key, captured int, currency text not null);
create table if not exists refunds(
  number integer primary key autoincrement, id text unique, payment text not null, idempotency_key text, body text not null);
create table if not exists answers(idempotency_key text primary key, request text not null, status int not null, body text not null);
create index if not exists refunds_of on refunds(payment);
"""
_TAKING = ("pending", "requires_action", "succeeded")


class Refused(Exception):
    """A definite no: HTTP status and Stripe's error code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status

    def body(self) -> dict[str, Any]:
        """As Stripe writes it."""
        return {"error": {"type": "invalid_request_error", "code": self.code, "message": str(self)}}


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered to a key."""

    request: str
    status: int
    body: dict[str, Any]


class Ledger:
    """`accept_any`: a payment that nobody registered exists as soon as it is spoken of, with as much money as is asked back."""

    def __init__(self, file: Path | None, *, accept_any: bool) -> None:
        self.accept_any = accept_any
        self.database = sqlite3.connect(file or ":memory:", isolation_level=None)
        self.database.row_factory = sqlite3.Row
        self.database.execute("pragma journal_mode = wal")
        self.database.execute("pragma synchronous = off")  # outlives a kill, not a power cut
        self.database.executescript(_TABLES)

    def close(self) -> None:
        """The file stays."""
        self.database.close()

    def register(self, payment: str, captured: int, currency: str) -> None:
        """Money was captured."""
        self.database.execute(
            "insert into payments values (?, ?, ?) on conflict (id) do update set captured = excluded.captured",
            (payment, captured, currency),
        )

    def refund(self, form: dict[str, Any], *, key: str | None, status: str, extra: dict[str, Any]) -> Refund:
        """Pays back. Raises Refused when the payment is not known or has not so much left."""
        payment = self._payment(form)
        amount = self._amount(form, payment)
        body: Refund = {
            "object": "refund", "amount": amount, "currency": payment["currency"], "payment_intent": payment["id"], "status": status,
            "reason": form.get("reason"), "metadata": form.get("metadata", {}), "failure_reason": None, "next_action": None,
        } | extra  # fmt: skip
        written = self.database.execute(
            "insert into refunds(payment, idempotency_key, body) values (?, ?, ?)", (payment["id"], key, json.dumps(body))
        )
        body = {"id": f"re_{written.lastrowid:08d}"} | body
        self.database.execute("update refunds set id = ?, body = ? where number = ?", (body["id"], json.dumps(body), written.lastrowid))
        return body

    def read(self, refund_id: str) -> Refund:
        """Raises Refused when there is none."""
        row = self.database.execute("select body from refunds where id = ?", (refund_id,)).fetchone()
        if row is None:
            raise Refused("resource_missing", "No such refund", 404)
        found: Refund = json.loads(row["body"])
        return found

    def change(self, refund_id: str, **changes: Any) -> Refund:
        """Its status, say."""
        body = self.read(refund_id) | changes
        self.database.execute("update refunds set body = ? where id = ?", (json.dumps(body), refund_id))
        return body

    def all(self, payment: str | None = None) -> list[Refund]:
        """Every refund, the newest first, with the key it was asked for by."""
        rows = self.database.execute(
            "select body, idempotency_key from refunds where payment = coalesce(?, payment) order by number desc", (payment,)
        )
        return [json.loads(row["body"]) | {"idempotency_key": row["idempotency_key"]} for row in rows]

    def answered(self, key: str) -> Answered | None:
        """What this key was answered before."""
        row = self.database.execute("select * from answers where idempotency_key = ?", (key,)).fetchone()
        return Answered(row["request"], row["status"], json.loads(row["body"])) if row else None

    def remember(self, key: str, form: dict[str, Any], status: int, body: dict[str, Any]) -> None:
        """The same key will be answered the same."""
        self.database.execute("insert or replace into answers values (?, ?, ?, ?)", (key, fingerprint(form), status, json.dumps(body)))

    def forget_keys(self) -> None:
        """As Stripe does after a day."""
        self.database.execute("delete from answers")

    def _payment(self, form: dict[str, Any]) -> sqlite3.Row:
        payment = form.get("payment_intent") or form.get("charge")
        if not payment:
            raise Refused("parameter_missing", "One of payment_intent and charge is required")
        query = "select * from payments where id = ?"
        row: sqlite3.Row | None = self.database.execute(query, (payment,)).fetchone()
        if row is None and self.accept_any:
            self.database.execute("insert into payments values (?, null, 'eur')", (payment,))
            row = self.database.execute(query, (payment,)).fetchone()
        if row is None:
            raise Refused("resource_missing", "No such payment_intent", 404)
        return row

    def _amount(self, form: dict[str, Any], payment: sqlite3.Row) -> int:
        refunded = sum(each["amount"] for each in self.all(payment["id"]) if each["status"] in _TAKING)
        captured: int | None = payment["captured"]
        try:
            amount = int(form["amount"]) if "amount" in form else (captured or 0) - refunded
        except ValueError:
            raise Refused("parameter_invalid_integer", "amount must be an integer of minor units") from None
        if captured is not None and refunded >= captured:
            raise Refused("charge_already_refunded", "The charge has already been refunded")
        if amount <= 0:
            raise Refused("parameter_invalid_integer", "amount must be positive")
        if captured is not None and amount > captured - refunded:
            raise Refused("amount_too_large", "The refund is greater than the unrefunded amount of the charge")
        return amount


def fingerprint(form: dict[str, Any]) -> str:
    """Whether two requests are the same."""
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()
