"""What holds of every mail that leaves: it is true when it leaves, it is the only one of its kind, and its reader wants it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from offramp_schemas.base import ERASED
from services.lifecycle.states import Active, Ended, NonRenewing, PastDue, Paused, Trialing
from services.notifier.mails import TEMPLATES
from tests.domain.outside import must

if TYPE_CHECKING:
    from tests.domain.world import World

SUB = "sub_1"
Data = Mapping[str, Any]
Truth = Callable[[Any, Data], bool]


def _owes(state: Any, data: Data) -> bool:
    return isinstance(state, PastDue) and data["invoice_id"] in state.dunnings


def _unused(state: Any, data: Data) -> bool:
    return isinstance(state, Active | Trialing) and state.inactivity is not None and state.inactivity.warn_at is None


def _rests(state: Any, data: Data) -> bool:
    return isinstance(state, Paused)


def _has_data(state: Any, data: Data) -> bool:
    return isinstance(state, Paused | Ended) and state.deleted_at is None


def _goes_on(state: Any, data: Data) -> bool:
    return isinstance(state, Active | PastDue)


def _may_stay(state: Any, data: Data) -> bool:
    offer = state.heard.offer
    return isinstance(state, NonRenewing) and offer is not None and offer.outcome is None and offer.reference == data["reference"]


def _gave_no_reason(state: Any, data: Data) -> bool:
    return isinstance(state, NonRenewing | Ended) and state.cancellation is not None and not state.cancellation.reason_given


def _has_left(state: Any, data: Data) -> bool:
    return isinstance(state, Ended)


def _leaves(state: Any, data: Data) -> bool:
    return isinstance(state, NonRenewing) and state.cancellation.reference == data["reference"]


def _wants_back(state: Any, data: Data) -> bool:
    return isinstance(state, Ended) and state.returning is not None and not state.returning.charge_due


def _settled(state: Any, data: Data) -> bool:
    return bool(data["still_open"]) or not (isinstance(state, PastDue) and state.dunnings)


TRUE_WHILE: Mapping[str, Truth] = {
    "ending_soon": _leaves,
    "payment_failed": _owes,
    "payment_failed_card": _owes,
    "payment_retry": _owes,
    "payment_card_reminder": _owes,
    "payment_last_notice": _owes,
    "payment_recovered": _settled,
    "inactivity_warning": _unused,
    "inactivity_last_day": _unused,
    "paid_but_unused": _goes_on,
    "renewal_reminder": _goes_on,
    "price_change": _goes_on,
    "trial_ending": lambda state, data: isinstance(state, Trialing | PastDue),
    "resuming_soon": _rests,
    "resume_needs_card": _rests,
    "reactivation_needs_card": _wants_back,
    "data_export_reminder": _has_data,
    "data_deletion_reminder": _has_data,
    "retention_offer": _may_stay,
    "survey": _gave_no_reason,
    "win_back": _has_left,
    "win_back_again": _has_left,
}
"""What a mail says that is no proof: as long as this holds of the subscription."""
OF_THE_END = frozenset({"ended", "ended_at_once", "ended_unpaid", "ended_unused", "ended_refunded", "trial_ended"})
OF_GOING_ON = frozenset({"cancellation_undone", "retention_offer_applied", "resumed", "reactivated"})
STATES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(OF_THE_END, frozenset({"ended"})),
    **dict.fromkeys(OF_GOING_ON, frozenset({"active", "trialing", "past_due"})),
    "cancellation_scheduled": frozenset({"non_renewing"}),
    "paused": frozenset({"paused"}),
    "data_deleted": frozenset({"paused", "ended"}),
}
"""The state that a proof speaks of."""


class Mails:
    """Every mail that the server was asked to take."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.of: dict[tuple[Any, ...], str] = {}
        self.proven = -1  # the version of the subscription that the last proof spoke of

    def asked(self, request: Mapping[str, Any]) -> None:
        """A mail is about to leave."""
        must(request["to"] != ERASED.email, "who asked to be forgotten is not written to")
        must(all(each["mail_id"] != request["mail_id"] for each in self.world.mail_server.taken), "what was taken is not sent again")
        if request["template"] == "alert":
            return
        data: Data = request["context"]["data"]
        about = data.get("refund_id") or (data["request_ref"] if request["context"]["fact"] == "NothingToRefund" else SUB)
        first = self._only_one(request, (about, data["version"], request["template"], request["to"]))
        box = self.world.rooms["notifier"].state(SUB)
        if box.forgotten:
            must("refund_id" in data, "who asked to be forgotten hears of an open refund, and of nothing else")
        if request["class"] == "marketing":
            must(not box.opted_out, "who opted out gets no marketing")
            must(data.get("marketing_consent", True), "who never agreed gets no marketing")
        if about == SUB:
            self._is_true(request["template"], data, first)

    def _only_one(self, request: Mapping[str, Any], key: tuple[Any, ...]) -> bool:
        first = key not in self.of
        must(self.of.setdefault(key, request["mail_id"]) == request["mail_id"], f"one mail of a kind: {key}")
        return first

    def _is_true(self, template: str, data: Data, first: bool) -> None:
        if TEMPLATES[template] == "proof":
            said = data["state"]
            must(said in STATES.get(template, {said}), f"{template} is said of a subscription that is {said}")
            if first:
                must(data["version"] >= self.proven, "what is proven later happened later")
                self.proven = data["version"]
        elif template in TRUE_WHILE and not self.world.rooms["notifier"].unread() and not self.world.rooms["lifecycle"].unread():
            state = self.world.rooms["lifecycle"].state(SUB)
            name = self.world.rooms["lifecycle"].decider.name(state)
            must(TRUE_WHILE[template](state, data), f"{template} leaves, and is no longer true: the subscription is {name}")
