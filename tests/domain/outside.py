"""The world around the three services: billing with its bank, the payment provider, the mail server. Each has moods, none has chance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from services.refunds.attempts import CREATE, FIND, READ, SURVEY
from services.runtime.decision import Call

DAY = timedelta(days=1)
NOT_PAID = ("failed", "canceled")
BankMood = Literal["pays", "declines softly", "declines for good", "is silent"]
ProviderMood = Literal["works", "takes its time", "is unreachable", "does it and does not say so", "refuses", "wants the customer to act"]
ServerMood = Literal["works", "is unreachable", "takes mails and does not say so", "refuses"]


class Broken(AssertionError):
    """A law of the domain does not hold."""


def must(holds: object, law: str) -> None:
    """Raises Broken with the law, in words."""
    if not holds:
        raise Broken(law)


@dataclass
class Provider:
    """A payment provider with a memory: what it really did, whatever it said. It forgets idempotency keys after a day.

    It would pay out more than it captured if we asked it to: that we don't is ours to hold.
    """

    mood: ProviderMood = "works"
    captured: dict[str, int] = field(default_factory=dict)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, tuple[datetime, dict[str, Any]]] = field(default_factory=dict)
    news: list[dict[str, Any]] = field(default_factory=list)  # refunds of which a webhook tells

    def answer(self, call: Call, now: datetime) -> tuple[dict[str, Any] | None, str | None]:
        """What the caller hears."""
        if self.mood == "is unreachable":
            return None, "unreachable"
        answer = self._answer(call.kind, call.request, now)
        return (None, "unknown") if self.mood == "does it and does not say so" else (answer, None)

    def paid_back(self, payment: str) -> int:
        """Of a payment, whoever did it."""
        return sum(each["amount_minor"] for each in self.refunds if each["payment"] == payment and each["status"] not in NOT_PAID)

    def by_hand(self, payment: str) -> None:
        """Somebody refunds half of what is left in the provider's own dashboard."""
        half = (self.captured[payment] - self.paid_back(payment)) // 2
        if half:
            self._add({"payment": payment, "amount_minor": half, "status": "succeeded", "metadata": {}})

    def moves(self, to: str) -> None:
        """The bank goes on with every refund that can go there: forward, or back after a success."""
        allowed = {"pending": ("succeeded", "failed"), "requires_action": ("succeeded", "failed"), "succeeded": ("failed",)}
        for refund in self.refunds:
            if to in allowed.get(refund["status"], ()):
                refund["status"] = to
                self.news.append(refund)

    def _answer(self, kind: str, request: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        if kind == CREATE:
            return self._create(request, now)
        if kind == SURVEY:
            return {"refunds": [_shown(each) for each in self.refunds if each["payment"] == request["payment"]]}
        if kind == READ:
            return next((_shown(each) for each in self.refunds if each["id"] == request["provider_refund_id"]), {"error": "not_found"})
        must(kind == FIND, f"nobody knows the call {kind}")
        return next((_shown(each) for each in self.refunds if each["metadata"] == request["metadata"]), {"error": "not_found"})

    def _create(self, request: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        known = self.keys.get(request["idempotency_key"])
        if known and now - known[0] < DAY:
            return _shown(known[1])
        if self.mood == "refuses":
            return {"error": "card_not_supported"}
        payment, amount = request["payment"], request["amount_minor"]
        left = self.captured[payment] - self.paid_back(payment)
        if amount > left and any(not each["metadata"] for each in self.refunds if each["payment"] == payment):
            return {"error": "amount_too_large"}  # somebody's hand was faster, which we could not know
        must(amount <= left, f"{amount} of {payment} is paid back, and only {left} is left")
        status = {"takes its time": "pending", "wants the customer to act": "requires_action"}.get(self.mood, "succeeded")
        refund = self._add({"payment": payment, "amount_minor": amount, "status": status, "metadata": dict(request["metadata"])})
        self.keys[request["idempotency_key"]] = (now, refund)
        return _shown(refund)

    def _add(self, refund: dict[str, Any]) -> dict[str, Any]:
        refund["id"] = f"re_{len(self.refunds) + 1}"
        self.refunds.append(refund)
        self.news.append(refund)
        return refund


def _shown(refund: dict[str, Any]) -> dict[str, Any]:
    return {name: refund[name] for name in ("id", "status", "amount_minor", "metadata")}


@dataclass
class MailServer:
    """Takes mails, or not. `taken` are those of which it said so."""

    mood: ServerMood = "works"
    taken: list[Mapping[str, Any]] = field(default_factory=list)

    def answer(self, call: Call) -> tuple[dict[str, Any] | None, str | None]:
        """What the postman hears."""
        match self.mood:
            case "works":
                self.taken.append(call.request)
                return {"accepted": True, "rendered": ""}, None
            case "is unreachable":
                return None, "unreachable"
            case "refuses":
                return {"refused": "550 no such user"}, None
            case _:
                return None, "unknown"
