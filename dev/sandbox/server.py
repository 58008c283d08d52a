"""The sandbox's HTTP: `/v1/refunds` as Stripe's. What happens there is arranged backstage."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from dev.sandbox.backstage import Backstage, public
from dev.sandbox.behaviour import Behaviour, Behaviours
from dev.sandbox.ledger import Ledger, Refused, fingerprint
from dev.sandbox.webhooks import Webhooks

_REFUSALS = {"insufficient_funds": "insufficient_funds", "disputed": "charge_disputed"}


class Sandbox:
    """A provider at `url`. In-process: `async with Sandbox.start() as sandbox`."""

    def __init__(self, ledger: Ledger, key: str | None = None) -> None:
        """`key`: what /v1 asks for; without one it lets everybody in."""
        self.ledger, self.url, self.key = ledger, "", key
        self.behaviours, self.webhooks = Behaviours(), Webhooks()
        self.backstage = Backstage(ledger, self.behaviours, self.webhooks)
        self.closing = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def start(
        cls, port: int = 0, *, host: str = "127.0.0.1", file: Path | None = None, accept_any: bool = False, key: str | None = None
    ) -> AsyncIterator["Sandbox"]:
        """Listens until the block is left. Port 0: any that is free."""
        ledger = Ledger(file, accept_any=accept_any)
        sandbox = cls(ledger, key)
        runner = web.AppRunner(sandbox.app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            address: tuple[str, int] = runner.addresses[0]
            sandbox.url = f"http://{address[0]}:{address[1]}"
            yield sandbox
        finally:
            sandbox.closing.set()
            await sandbox.webhooks.stop()
            await runner.cleanup()
            ledger.close()

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[self.let_in])
        app.router.add_post("/v1/refunds", self.create)
        app.router.add_get("/v1/refunds", self.list)
        app.router.add_get("/v1/refunds/{id}", self.read)
        app.add_routes(self.backstage.routes())
        app.router.add_get("/healthz", self.healthy)
        return app

    @web.middleware
    async def let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Who speaks to the provider needs its key; who arranges what happens does not."""
        if self.key and request.path.startswith("/v1/") and request.headers.get("Authorization") != f"Bearer {self.key}":
            error = {"type": "invalid_request_error", "message": "Invalid API Key provided"}
            return web.json_response({"error": error}, status=401)
        return await handler(request)

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/refunds"""
        form, key = await _form(request), request.headers.get("Idempotency-Key")
        behaviour = self.behaviours.for_request(form.get("payment_intent") or form.get("charge"))
        if not_done := await self._instead(behaviour):
            return not_done
        status, body = self._answer(form, key, behaviour)
        return await self._afterwards(behaviour, request, status, body)

    async def read(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/refunds/{id}"""
        try:
            refund = self.ledger.read(request.match_info["id"])
        except Refused as refused:
            return web.json_response(refused.body(), status=refused.status)
        behaviour = self.behaviours.for_request(refund["payment_intent"], reading=True)
        if not_done := await self._instead(behaviour):
            return not_done
        return await self._afterwards(behaviour, request, 200, public(self._progress(refund)))

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/refunds?payment_intent=…&limit=…&starting_after=…"""
        payment = request.query.get("payment_intent")
        behaviour = self.behaviours.for_request(payment, reading=True)
        if not_done := await self._instead(behaviour):
            return not_done
        refunds = self.ledger.all(payment)
        if after := request.query.get("starting_after"):
            refunds = refunds[[each["id"] for each in refunds].index(after) + 1 :]
        limit = int(request.query.get("limit", "10"))
        shown = [public(each) for each in refunds[:limit]]
        page = {"object": "list", "url": "/v1/refunds", "data": shown, "has_more": len(refunds) > limit}
        return await self._afterwards(behaviour, request, 200, page)

    async def healthy(self, request: web.Request) -> web.StreamResponse:
        """GET /healthz"""
        return web.json_response({"ok": True})

    def _answer(self, form: dict[str, Any], key: str | None, behaviour: Behaviour | None) -> tuple[int, dict[str, Any]]:
        """The same key and body are answered the same; the same key and another body are a mistake."""
        if key and (before := self.ledger.answered(key)):
            if before.request != fingerprint(form):
                return 400, Refused("idempotency_error", "Keys can only be used with the same parameters").body()
            return before.status, before.body
        try:
            if behaviour and (code := behaviour.code if behaviour.do == "refuse" else _REFUSALS.get(behaviour.do)):
                raise Refused(code, "The sandbox was told to refuse")
            how = _beginning(behaviour)
            status, body = 200, self.ledger.refund(form, key=key, status=how.pop("status"), extra=how)
            self.backstage.say("refund.created", body)
        except Refused as refused:
            status, body = refused.status, refused.body()
        body = public(body)
        if key:
            self.ledger.remember(key, form, status, body)
        return status, body

    def _progress(self, refund: dict[str, Any]) -> dict[str, Any]:
        """Banks take their time: so many questions of it."""
        reads, then = refund.get("_reads", 0) + 1, refund.get("_then")
        if then and reads >= then["after_reads"]:
            return self.backstage.move(refund["id"], _then=None, **then["change"])
        return self.ledger.change(refund["id"], _reads=reads)

    async def _instead(self, behaviour: Behaviour | None) -> web.StreamResponse | None:
        """What happens without anything being done."""
        match behaviour:
            case Behaviour(do="silent"):
                await self._hold(behaviour.seconds)
                return web.json_response({"error": {"type": "api_error"}}, status=504)
            case Behaviour(do="error_500"):
                return web.json_response({"error": {"type": "api_error"}}, status=500)
            case Behaviour(do="rate_limit_429"):
                return web.json_response({"error": {"type": "invalid_request_error", "code": "rate_limit"}}, status=429)
        return None

    async def _afterwards(self, behaviour: Behaviour | None, request: web.Request, status: int, body: dict[str, Any]) -> web.StreamResponse:
        """What happens when it has been done."""
        match behaviour:
            case Behaviour(do="slow" | "timeout_after_doing"):
                await self._hold(behaviour.seconds)
            case Behaviour(do="cut_after_doing") if request.transport:
                request.transport.abort()
            case Behaviour(do="error_500_after_doing"):
                return web.json_response({"error": {"type": "api_error"}}, status=500)
        return web.json_response(body, status=status)

    async def _hold(self, seconds: float) -> None:
        """Without keeping the sandbox from closing."""
        try:
            await asyncio.wait_for(self.closing.wait(), seconds)
        except TimeoutError:
            return


def _beginning(behaviour: Behaviour | None) -> dict[str, Any]:
    """Status and plans of a new refund."""
    match behaviour:
        case Behaviour(do="status" | "pending_forever"):
            return {"status": behaviour.status}
        case Behaviour(do="pending"):
            return {"status": "pending", "_then": {"after_reads": behaviour.after_reads, "change": {"status": "succeeded"}}}
        case Behaviour(do="fail_late"):
            change = {"status": "failed", "failure_reason": behaviour.failure_reason}
            return {"status": "succeeded", "_then": {"after_reads": behaviour.after_reads, "change": change}}
        case Behaviour(do="requires_action"):
            details = {"expires_at": behaviour.expires_at, "url": behaviour.action_url}
            return {"status": "requires_action", "next_action": {"type": "display_details", "display_details": details}}
    return {"status": "succeeded"}


async def _form(request: web.Request) -> dict[str, Any]:
    """JSON, or a form with `metadata[name]`, as Stripe's."""
    if request.content_type == "application/json":
        body: dict[str, Any] = json.loads(await request.read())
        return body | {"amount": str(body["amount"])} if "amount" in body else body
    form: dict[str, Any] = {}
    for name, value in (await request.post()).items():
        if name.startswith("metadata["):
            form.setdefault("metadata", {})[name.removeprefix("metadata[").removesuffix("]")] = value
        else:
            form[name] = value
    return form
