"""How the sandbox is told to misbehave: `POST /sandbox/behave {"payment": "pay_1", "do": "timeout_after_doing", "times": 1}`."""

from typing import Literal

import msgspec

Do = Literal[
    "slow",                   # answers, but only after `seconds`
    "timeout_after_doing",    # does it and answers nobody for `seconds`
    "cut_after_doing",        # does it and breaks the connection
    "silent",                 # does nothing and answers nobody for `seconds`; reading included
    "error_500",              # does nothing
    "error_500_after_doing",
    "rate_limit_429",         # does nothing
    "refuse",                 # a definite no, with `code`
    "insufficient_funds",     # a definite no
    "disputed",               # a definite no: a dispute took over
    "status",                 # the refund has `status` from the beginning, and keeps it
    "pending",                # succeeds when it has been read `after_reads` times
    "pending_forever",
    "requires_action",        # until `expires_at` (Unix time), unless its status is set
    "fail_late",              # succeeds, and has failed when it has been read `after_reads` times
    "lose_webhook",           # it is never sent
    "double_webhook",
    "late_webhook",           # by `seconds`
    "hold_webhook",           # until another one was sent: they come in the wrong order
]  # fmt: skip
ANY = "*"
_READING_TOO = {"silent", "slow"}
On = Literal["create", "read", "webhook"]


class Behaviour(msgspec.Struct, forbid_unknown_fields=True):
    """One instruction. `times`: to how many requests it applies, none for all; `on`: which ones."""

    do: Do
    payment: str = ANY
    times: int | None = 1
    on: Literal["create", "read", "any"] | None = None
    seconds: float = 3600.0
    code: str = "card_not_supported"
    status: str = "pending"
    failure_reason: str = "expired_or_canceled_card"
    after_reads: int = 1
    expires_at: int | None = None
    action_url: str | None = None

    def applies(self, payment: str | None, on: On) -> bool:
        """Whether to this request, or to this webhook."""
        about = self.on or ("any" if self.do in _READING_TOO else "create")
        fits = on == "webhook" if self.do.endswith("_webhook") else about in {"any", on} and on != "webhook"
        return fits and self.times != 0 and self.payment in {ANY, payment}


def silent_after_doing(payment: str, seconds: float = 0.05) -> tuple[Behaviour, ...]:
    """It does the next refund and breaks the connection; then it answers nothing about it. `seconds` until a gateway would give up."""
    return (
        Behaviour(do="silent", payment=payment, times=None, seconds=seconds),
        Behaviour(do="slow", payment=payment, on="read", seconds=0),  # the first question, whether it knows the refund, is answered: no
        Behaviour(do="cut_after_doing", payment=payment),
    )


class Behaviours:
    """The instructions in force. The latest that applies is followed."""

    def __init__(self) -> None:
        self.told: list[Behaviour] = []

    def tell(self, *behaviours: Behaviour) -> None:
        """From now on."""
        self.told += behaviours

    def behave(self, payment: str | None = None) -> None:
        """All is well again, for everybody or for one payment."""
        self.told = [each for each in self.told if payment not in {None, each.payment}]

    def for_request(self, payment: str | None, *, reading: bool = False) -> Behaviour | None:
        """How to answer this request; it counts."""
        return self._latest(payment, "read" if reading else "create")

    def for_webhook(self, payment: str | None) -> Behaviour | None:
        """What becomes of this webhook; it counts."""
        return self._latest(payment, "webhook")

    def _latest(self, payment: str | None, on: On) -> Behaviour | None:
        for behaviour in reversed(self.told):
            if behaviour.applies(payment, on):
                if behaviour.times is not None:
                    behaviour.times -= 1
                return behaviour
        return None
