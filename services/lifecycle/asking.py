"""Who may ask for something, and that it is answered once. Every request of a customer goes through here before any other rule."""

from typing import Protocol

from msgspec.structs import replace

from offramp_schemas.account import Reseller
from offramp_schemas.request import Requester
from services.lifecycle.facts import REMEMBERED, Facts
from services.lifecycle.states import AnyState, Subscription


class Request(Protocol):
    """What all of them have."""

    @property
    def reference(self) -> str:
        """Minted by the publisher, unique per subscription."""
        ...

    @property
    def requested_by(self) -> Requester:
        """Who asks."""
        ...


def may_ask(facts: Facts, who: Requester) -> bool:
    """The owner, or support acting for them."""
    return who.role == "support" or who.user_id == facts.owner_id


def answered(state: Subscription, request: Request) -> bool:
    """The same request of the same person was answered before."""
    return _key(request) in state.heard.requests


def remembered(state: AnyState, request: Request) -> AnyState:
    """From now on it is answered."""
    return replace(state, heard=replace(state.heard, requests=(*state.heard.requests, _key(request))[-REMEMBERED:]))


def reseller(facts: Facts) -> Reseller | None:
    """Whom a customer is sent to who did not buy from us."""
    seller = facts.reseller
    return Reseller(reseller_id=seller.reseller_id, name=seller.name, contact=seller.contact) if seller else None


def _key(request: Request) -> str:
    return f"{request.reference} {request.requested_by.user_id}"  # so that a stranger's request can't use up the owner's reference
