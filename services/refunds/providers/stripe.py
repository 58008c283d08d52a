"""Stripe, by its own library; `url` may lead to anything that speaks as Stripe does."""

import logging
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
import msgspec
import stripe

from services.refunds.answers import ProviderRefund
from services.refunds.providers.port import Answer, NewRefund, ProviderError
from services.refunds.providers.wire import KEY_IN_DOUBT, MAYBE_DONE, NOT_DONE, Wire, clean, ours
from services.runtime.calls import Unknown, Unreachable

URL = "https://api.stripe.com"
TIMEOUT = 10.0  # seconds, for everything
_CONNECT = 3.0
T = TypeVar("T")
logging.getLogger("stripe").setLevel(logging.WARNING)  # it would tell of every request


class StripeProvider:
    """Opened with `async with`. It never tries again by itself: the shell does, and knows when that is safe."""

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT) -> None:
        self.url, self.key = url.rstrip("/"), key
        self.timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(_CONNECT, timeout))
        self.session: aiohttp.ClientSession | None = None
        self.client: stripe.StripeClient | None = None

    async def __aenter__(self) -> "StripeProvider":
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
        self.client = stripe.StripeClient(
            self.key,
            base_addresses={"api": self.url},
            http_client=stripe.AIOHTTPClient(timeout=self.timeout, session=self.session),
            max_network_retries=0,
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.session is not None:
            await self.session.close()

    async def create(self, refund: NewRefund) -> Answer:
        """Never with a reason of fraud: that would block the card."""
        params: Any = _named(refund.payment) | {
            "amount": refund.amount_minor,
            "reason": "requested_by_customer",
            "metadata": refund.metadata,
        }
        return await self._one(self._refunds.create_async(params, {"idempotency_key": refund.idempotency_key}))

    async def read(self, provider_refund_id: str) -> Answer:
        """The refund as it stands."""
        return await self._one(self._refunds.retrieve_async(provider_refund_id))

    async def refunds_of(self, payment: str) -> tuple[ProviderRefund, ...] | ProviderError:
        """Page by page: Stripe has no search for refunds."""
        return await self._asked(self._all(payment))

    async def _all(self, payment: str) -> tuple[ProviderRefund, ...]:
        params: Any = _named(payment) | {"limit": 100}
        page = await self._refunds.list_async(params)
        return tuple([_read(each) async for each in page.auto_paging_iter()])

    async def _one(self, question: Awaitable[stripe.Refund]) -> Answer:
        answer = await self._asked(question)
        return answer if isinstance(answer, ProviderError) else _read(answer)

    async def _asked(self, question: Awaitable[T]) -> T | ProviderError:
        """A definite no is an answer; whatever else goes wrong was not done, or may have been."""
        try:
            return await question
        except stripe.APIConnectionError as error:
            raise _trouble(self.url, error.__cause__ or error) from error
        except stripe.StripeError as error:
            return _refusal(self.url, error)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _trouble(self.url, error) from error

    @property
    def _refunds(self) -> Any:
        if self.client is None:
            raise RuntimeError("open the provider with `async with` first")
        return self.client.v1.refunds


def _named(payment: str) -> dict[str, Any]:
    """Billing may name the payment by its intent, or by the charge itself."""
    return {"charge" if payment.startswith(("ch_", "py_")) else "payment_intent": payment}


def _trouble(url: str, error: BaseException) -> Exception:
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unreachable(f"no connection to {url}: {type(error).__name__}")
    return Unknown(f"{url} did not answer: {type(error).__name__}")


def _refusal(url: str, error: stripe.StripeError) -> ProviderError:
    status = error.http_status
    if status in NOT_DONE:
        raise Unreachable(f"{url} answers {status}") from error
    if status is None or status < 400 or status >= 500 or status in MAYBE_DONE:
        raise Unknown(f"{url} answers {status}") from error
    body: Any = error.json_body
    kind = body["error"].get("type") if isinstance(body, dict) and isinstance(body.get("error"), dict) else None
    if KEY_IN_DOUBT & {error.code, kind}:
        raise Unknown("the provider knows the key by another request") from error
    return ProviderError(clean(str(error.code or kind or "refused_without_a_code")))


def _read(refund: stripe.Refund) -> ProviderRefund:
    try:
        return ours(msgspec.convert(refund.to_dict(), Wire))
    except msgspec.ValidationError as error:
        raise Unknown("the provider's answer is not what it documents") from error
