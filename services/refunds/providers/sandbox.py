"""The sandbox provider: Stripe's refunds over plain HTTP, without the money."""

from types import TracebackType
from typing import Any

import aiohttp
import msgspec

from services.refunds.answers import ProviderRefund
from services.refunds.providers.port import Answer, NewRefund, ProviderError
from services.refunds.providers.wire import KEY_IN_DOUBT, MAYBE_DONE, NOT_DONE, Wire, clean, ours
from services.runtime.calls import Unknown, Unreachable

TIMEOUT = 10.0  # seconds, for everything
_CONNECT = 3.0


class Page(msgspec.Struct, frozen=True):
    """A piece of a list, the newest first."""

    data: tuple[Wire, ...]
    has_more: bool


class SandboxProvider:
    """Speaks to a sandbox at `url`, with its API key. Open it with `async with`."""

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT) -> None:
        self.url, self.key = url.rstrip("/"), key
        self.timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(_CONNECT, timeout))
        self.session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "SandboxProvider":
        self.session = aiohttp.ClientSession(
            timeout=self.timeout, connector=aiohttp.TCPConnector(limit=64), headers={"Authorization": f"Bearer {self.key}"}
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.session is not None:
            await self.session.close()

    async def create(self, refund: NewRefund) -> Answer:
        """Never with a reason of fraud: that would block the card."""
        form = {"payment_intent": refund.payment, "amount": str(refund.amount_minor), "reason": "requested_by_customer"}
        form |= {f"metadata[{name}]": value for name, value in refund.metadata.items()}
        status, body = await self._ask("POST", "/v1/refunds", data=form, headers={"Idempotency-Key": refund.idempotency_key})
        if status >= 400 and _code(body) in KEY_IN_DOUBT:
            raise Unknown("the provider knows the key by another request")
        return _answer(status, body)

    async def read(self, provider_refund_id: str) -> Answer:
        """The refund as it stands."""
        return _answer(*await self._ask("GET", f"/v1/refunds/{provider_refund_id}"))

    async def refunds_of(self, payment: str) -> tuple[ProviderRefund, ...] | ProviderError:
        """Page by page: Stripe has no search for refunds."""
        query, shown = {"payment_intent": payment, "limit": "100"}, []
        while True:
            status, body = await self._ask("GET", "/v1/refunds", params=query)
            if status >= 400:
                return ProviderError(_code(body))
            page = _decoded(body, Page)
            shown += [ours(each) for each in page.data]
            if not page.has_more or not page.data:
                return tuple(shown)
            query["starting_after"] = page.data[-1].id

    async def _ask(self, method: str, path: str, **how: Any) -> tuple[int, bytes]:
        if self.session is None:
            raise RuntimeError("open the provider with `async with` first")
        try:
            async with self.session.request(method, f"{self.url}{path}", **how) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable(f"no connection to {self.url}: {type(error).__name__}") from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unknown(f"{self.url} did not answer: {type(error).__name__}") from error
        if status in NOT_DONE:
            raise Unreachable(f"{self.url} answers {status}")
        if status >= 500 or status in MAYBE_DONE:
            raise Unknown(f"{self.url} answers {status}")
        return status, body


def _answer(status: int, body: bytes) -> Answer:
    return ProviderError(_code(body)) if status >= 400 else ours(_decoded(body, Wire))


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unknown("the provider's answer is not what it documents") from error


def _code(body: bytes) -> str:
    try:
        error = msgspec.json.decode(body)["error"]
        return clean(str(error.get("code") or error["type"]))
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        return "refused_without_a_code"
