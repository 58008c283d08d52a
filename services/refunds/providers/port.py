"""What `refunds` asks of a payment provider, and how its rules' calls reach one."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from services.refunds.answers import NOT_FOUND, ProviderRefund
from services.refunds.attempts import CREATE, FIND, READ, SURVEY


class NewRefund(Struct, frozen=True):
    """What is to be paid back. The same `idempotency_key` is done once; `metadata` is written on the refund, to find it by."""

    payment: str
    amount_minor: int
    currency: str
    idempotency_key: str
    metadata: dict[str, str]


class ProviderError(Struct, frozen=True):
    """Refused for certain, nothing was done. `error` is the provider's code, or `not_found`."""

    error: str


Answer = ProviderRefund | ProviderError


class Provider(Protocol):
    """Every method answers within ten seconds, or raises `Unreachable` (not done) or `Unknown` (may have been done)."""

    async def create(self, refund: NewRefund) -> Answer:
        """Pays back."""
        ...

    async def read(self, provider_refund_id: str) -> Answer:
        """The refund as it stands."""
        ...

    async def refunds_of(self, payment: str) -> tuple[ProviderRefund, ...] | ProviderError:
        """Every refund of the payment, whoever made it."""
        ...


def callers(provider: Provider) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]]:
    """Who does which kind of call of the rules."""

    async def create(request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Looks before it pays: a call cut off by a crash is made again, maybe when the provider has forgotten its key."""
        refund = msgspec.convert(request, NewRefund)
        answer = await _find(provider, refund.payment, refund.metadata)
        return _json(answer if isinstance(answer, ProviderRefund) else await provider.create(refund))

    async def read(request: Mapping[str, Any]) -> Mapping[str, Any]:
        return _json(await provider.read(request["provider_refund_id"]))

    async def find(request: Mapping[str, Any]) -> Mapping[str, Any]:
        return _json(await _find(provider, request["payment"], request["metadata"]))

    async def survey(request: Mapping[str, Any]) -> Mapping[str, Any]:
        shown = await provider.refunds_of(request["payment"])
        return _json(shown) if isinstance(shown, ProviderError) else {"refunds": [_json(each) for each in shown]}

    return {CREATE: create, READ: read, FIND: find, SURVEY: survey}


async def _find(provider: Provider, payment: str, metadata: Mapping[str, str]) -> Answer:
    """The refund of the payment on which all of `metadata` is written."""
    shown = await provider.refunds_of(payment)
    if isinstance(shown, ProviderError):
        return shown
    return next((each for each in shown if metadata.items() <= each.metadata.items()), ProviderError(NOT_FOUND))


def _json(answer: Answer) -> Mapping[str, Any]:
    built: Mapping[str, Any] = msgspec.to_builtins(answer)
    return built
