"""What holds whatever happens: the laws of the domain, checked after everything that one of the three services does."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from offramp_schemas import Event
from offramp_schemas.account import PersonErased
from offramp_schemas.base import ERASED
from offramp_schemas.lifecycle_events import (
    CardUpdateDue,
    DataDeletionDue,
    PaymentPastDue,
    PaymentRetryDue,
    RefundUnacknowledged,
    SubscriptionEnded,
)
from offramp_schemas.pause_events import ReactivationChargeDue, SubscriptionPaused, SubscriptionReactivated
from offramp_schemas.reasons import Reason
from offramp_schemas.refund_events import NothingToRefund, RefundFact, RefundReceived, RefundRejected
from offramp_schemas.refund_request import RefundRequested
from offramp_schemas.request import CancellationRequested
from offramp_schemas.retention_events import RetentionOffered, WinBackDue
from services.lifecycle.states import Active, Ended, NonRenewing, PastDue, Paused, Subscription, Trialing
from services.refunds.states import Account, Refund
from tests.domain.bus import Happened
from tests.domain.laws_of_mails import Mails
from tests.domain.outside import DAY, must

if TYPE_CHECKING:
    from tests.domain.world import World

EU = {"DE", "EE", "FR", "BG", "ES", "IE"}  # of the countries in these stories
SUB = "sub_1"


class Laws:
    """Remembers what was promised, and to whom."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.mails = Mails(world)
        self.ids: set[str] = set()
        self.told: set[str] = set()
        self.offered: list[datetime] = []
        self.paused: list[datetime] = []
        self.wished: dict[str, datetime] = {}
        self.answered: set[str] = set()
        self.alarmed: set[str] = set()
        self.promised: dict[str, int] = {}
        self.promises: dict[tuple[str, datetime | None], tuple[datetime, datetime | None]] = {}

    # --- after everything that one service does ---------------------------------------------------------------------------------------

    def happened(self, step: Happened, told: list[Event]) -> None:
        """One service has read, fired or heard something."""
        room = self.world.rooms[step.service]
        must(not room.fold.stuck, f"a timer is gone once it fired: {[each.message for each in room.fold.stuck]}")
        failed = [each.message for each in room.queues.letters if each.reason == Reason.RULE_FAILED]
        must(not failed, f"there is a rule for everything: {failed}")
        for record in step.told:
            id_ = dict(record.headers)["ce_id"].decode()
            must(id_ not in self.ids, "the ids of follow-ups are unique")
            self.ids.add(id_)
        if step.service == "lifecycle":
            self._of_leaving(step, told)
        if step.service == "refunds" and isinstance(step.after, Account):
            self._not_too_much(step.after)
        for event in told:
            self._told(event)
        for asked in step.asked:
            if asked.call.kind == "mail":
                self.mails.asked(asked.call.request)

    def _of_leaving(self, step: Happened, told: list[Event]) -> None:
        before, after = step.before, step.after
        match step.what:
            case CancellationRequested() if before and _theirs(before, step.what) and (told or before is not after):
                gone = Ended if step.what.mode == "immediately" else NonRenewing | Ended
                must(isinstance(after, gone), "nothing blocks a cancellation")
            case PersonErased() if after:
                must(after.facts.email == ERASED.email, "who asked to be forgotten is")
        if isinstance(before, Ended) and not isinstance(after, Ended):
            must(any(isinstance(each, SubscriptionReactivated) for each in told), "nothing comes back to life in silence")
        ended = [each for each in told if isinstance(each, SubscriptionEnded)]
        for fact in ended:
            reason = fact.end_reason
            if reason == "inactivity":
                must(isinstance(before, Trialing) or before.facts.price_minor == 0, "a paying customer is never deactivated")
            if isinstance(step.what, CancellationRequested):
                must((reason == "withdrawal") == self._withdraws(before, step.what), "14 days are the consumer's to withdraw, and no more")

    def _withdraws(self, state: Subscription, event: CancellationRequested) -> bool:
        facts = state.facts
        in_time = self.world.now - self.world.lagging - facts.contract_at <= 14 * DAY
        return event.mode == "immediately" and event.wants_refund and facts.consumer and facts.country in EU and in_time

    def _told(self, event: Event) -> None:
        now, rules = self.world.now, self.world.rules
        self.told.add(type(event).__name__)
        match event:
            case RetentionOffered():
                must(_since(self.offered, now) >= rules.lifecycle.offers.again_after, "one retention offer a year")
                self.offered.append(now)
            case SubscriptionPaused():
                must(_since(self.paused, now) >= rules.lifecycle.pause.once_per, "one pause a year")
                must(event.resumes_at <= now + rules.lifecycle.pause.longest, "no pause without an end in sight")
                self.paused.append(now)
            case PaymentRetryDue() | CardUpdateDue() | PaymentPastDue():
                must(event.state == "past_due", "who has left or pays is not chased")
            case ReactivationChargeDue():
                must(event.state == "ended", "who never left is not charged for a return")
            case DataDeletionDue() if event.reminder == 1:
                self._may_be_deleted(event)
            case RefundUnacknowledged():
                self.alarmed.add(event.request_ref)
            case WinBackDue():
                state = self.world.rooms["lifecycle"].state(SUB)
                must(state.facts.marketing_consent and isinstance(state, Ended), "only who left, and agreed, is asked to come back")
            case RefundRequested():
                self.wished.setdefault(event.request_ref, now)
            case NothingToRefund() | RefundFact():
                self._about_money(event)

    def _may_be_deleted(self, event: DataDeletionDue) -> None:
        state, rules = self.world.rooms["lifecycle"].state(SUB), self.world.rules.lifecycle.data
        if state.heard.erased_at:
            return
        kept = isinstance(state, Ended) and state.cancellation is not None and state.cancellation.keep_data
        stays = rules.grace + (rules.retained if kept else timedelta())
        must(self.world.now - event.ended_at >= stays, "no data is deleted in its grace period, nor while it is kept")

    def _about_money(self, event: RefundFact | NothingToRefund) -> None:
        if isinstance(event, RefundReceived | RefundRejected | NothingToRefund):
            self.answered.add(event.request_ref)
        if isinstance(event, RefundFact):
            self._of_a_refund(event)

    def _of_a_refund(self, event: RefundFact) -> None:
        refund = self._account.refunds[event.refund_id]
        policy = self.world.rules.refunds
        windows = (self._within(14 * DAY, refund) and self._in_eu, self._within(policy.guarantee_window, refund))
        if isinstance(event, RefundRejected) and event.rule == "outside_refund_window":
            must(not any(windows), "who asks in time has a right to the money")
        if isinstance(event, RefundReceived) and not event.repeat and event.basis in ("withdrawal", "guarantee"):
            must(windows[0] if event.basis == "withdrawal" else windows[1], "a right ends with its window")

    @property
    def _in_eu(self) -> bool:
        return self._account.customer.consumer and self._account.customer.country in EU

    def _within(self, window: timedelta, refund: Refund) -> bool:
        return refund.informed_at - min(each.captured_at for each in self._account.payments.values()) <= window

    @property
    def _account(self) -> Account:
        account = self.world.rooms["refunds"].state(SUB)
        assert isinstance(account, Account)
        return account

    # --- when nobody has anything to say ----------------------------------------------------------------------------------------------

    def at_rest(self) -> None:
        """Everything was read by whoever is not down."""
        rooms = self.world.rooms
        if state := rooms["lifecycle"].state(SUB):
            self._somebody_watches(state)
        if account := rooms["refunds"].state(SUB):
            for refund in account.refunds.values():
                self._cannot_stall(account, refund)
            self._no_money_is_kept(account)
        for entity_id, entity in rooms["notifier"].fold.entities.items():
            names = {timer.name for timer in rooms["notifier"].decider.timers(entity.state)}
            for mail in entity.state.mails:
                must(any(name.endswith(mail.mail_id) for name in names), f"no mail of {entity_id} is forgotten")
        self._every_wish_is_heard()

    def _somebody_watches(self, state: Subscription) -> None:
        timers = self.world.rooms["lifecycle"].decider.timers(state)
        now, free = self.world.now, isinstance(state, Active) and state.facts.free
        if not (isinstance(state, Ended) and state.deleted_at) and not free:
            must(timers, f"no {self.world.rooms['lifecycle'].decider.name(state)} subscription is without a wake-up")
        if self.world.rooms["lifecycle"].down:
            return
        if isinstance(state, PastDue):
            for dunning in state.dunnings.values():
                most = dunning.started_at + self._longest_dunning
                must(now <= most or self.world.somebody_was_down, "dunning gives up in the end")
        if isinstance(state, Paused):
            must(now <= state.resumes_at + self.world.rules.lifecycle.pause.card_within, "a pause ends")

    @property
    def _longest_dunning(self) -> timedelta:
        rules = self.world.rules.lifecycle.dunning
        return rules.steps[-1] + rules.settle_margin

    def _cannot_stall(self, account: Account, refund: Refund) -> None:
        promise = (refund.promise_due_at, refund.legal_due_at)
        begun = (refund.refund_id, refund.appealed_at)  # an appeal that is granted is a promise of its own
        must(self.promises.setdefault(begun, promise) == promise, "a promised date never moves")
        if not refund.over:
            timers = [each for each in self.world.rooms["refunds"].decider.timers(account) if refund.refund_id in each.name]
            must(timers and refund.owner and refund.deadline_at, f"a refund that is {refund.state} has an owner, a deadline and a wake-up")

    def _no_money_is_kept(self, account: Account) -> None:
        """Of a payment that was made before the customer heard that there is none."""
        for wish in account.wishes.values():
            by = wish.answered_at or self.world.now
            for payment in account.payments.values():
                if payment.period_end is None:
                    asked_of = account.period_start is None or payment.captured_at >= account.period_start
                else:
                    asked_of = wish.asked_at < payment.period_end
                must(payment.captured_at > by or not asked_of, "a payment that was asked back before it was heard of is a refund")

    def _not_too_much(self, account: Account) -> None:
        """Somebody's hand at the provider may be faster than we are: then nothing more is promised."""
        for payment in account.payments:
            promised = account.reserved_minor(payment)
            fits = account.available_minor(payment) >= 0 or promised <= self.promised.get(payment, 0)
            must(fits, f"of {payment} no more is promised than was captured")
            self.promised[payment] = promised

    def _every_wish_is_heard(self) -> None:
        if self.world.rooms["lifecycle"].down:
            return
        waits = self.world.rules.lifecycle.refunds.acknowledged_within
        for ref, since in self.wished.items():
            heard = ref in self.answered or ref in self.alarmed or self.world.now <= since + waits
            must(heard, f"the wish {ref} for money is answered, or somebody is told that it is not")


def _theirs(state: Subscription, event: CancellationRequested) -> bool:
    """The owner's own wish, or support's for them, while there is something to cancel."""
    by = event.requested_by
    return not isinstance(state, Ended) and state.facts.reseller is None and (by.role == "support" or by.user_id == state.facts.owner_id)


def _since(moments: list[datetime], now: datetime) -> timedelta:
    return now - moments[-1] if moments else timedelta.max
