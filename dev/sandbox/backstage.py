"""`/sandbox/…`: to arrange what happens at the provider, and to see what did."""

from typing import Any

import msgspec
from aiohttp import web

from dev.sandbox.behaviour import Behaviour, Behaviours
from dev.sandbox.ledger import Ledger, Refused
from dev.sandbox.webhooks import Webhooks


class Backstage:
    """What a test, or a person at a terminal, does to the provider."""

    def __init__(self, ledger: Ledger, behaviours: Behaviours, webhooks: Webhooks) -> None:
        self.ledger, self.behaviours, self.webhooks = ledger, behaviours, webhooks

    def routes(self) -> list[web.RouteDef]:
        """What is arranged where."""
        return [
            web.post("/sandbox/payments", self.register),
            web.post("/sandbox/behave", self.tell),
            web.delete("/sandbox/behave", self.behave),
            web.post("/sandbox/forget-keys", self.forget_keys),
            web.get("/sandbox/refunds", self.everything),
            web.post("/sandbox/refunds", self.by_somebody),
            web.post("/sandbox/refunds/{id}", self.change),
            web.post("/sandbox/webhooks", self.listen),
        ]

    def move(self, refund_id: str, **changes: Any) -> dict[str, Any]:
        """The bank moved; whoever listens hears of it."""
        refund = self.ledger.change(refund_id, **changes)
        self.say("refund.failed" if refund["status"] == "failed" else "refund.updated", refund)
        return refund

    def say(self, kind: str, refund: dict[str, Any]) -> None:
        """By a webhook, where somebody listens."""
        self.webhooks.tell(kind, public(refund), self.behaviours.for_webhook(refund["payment_intent"]))

    async def register(self, request: web.Request) -> web.StreamResponse:
        """POST /sandbox/payments {"id", "amount", "currency"}: a charge that can be refunded."""
        body = await request.json()
        self.ledger.register(body["id"], body["amount"], body.get("currency", "eur").lower())
        return web.json_response({"ok": True})

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """POST /sandbox/behave: see dev/sandbox/behaviour.py."""
        try:
            self.behaviours.tell(msgspec.json.decode(await request.read(), type=Behaviour))
        except msgspec.ValidationError as error:
            return web.json_response({"error": {"code": "not_a_behaviour", "message": str(error)}}, status=400)
        return web.json_response({"ok": True})

    async def behave(self, request: web.Request) -> web.StreamResponse:
        """DELETE /sandbox/behave: all is well again."""
        self.behaviours.behave()
        return web.json_response({"ok": True})

    async def forget_keys(self, request: web.Request) -> web.StreamResponse:
        """POST /sandbox/forget-keys: as Stripe does after a day."""
        self.ledger.forget_keys()
        return web.json_response({"ok": True})

    async def everything(self, request: web.Request) -> web.StreamResponse:
        """GET /sandbox/refunds: for audits, every refund with the key it was asked for by."""
        return web.json_response({"data": self.ledger.all()})

    async def change(self, request: web.Request) -> web.StreamResponse:
        """POST /sandbox/refunds/{id} {"status", …}: the bank moved."""
        try:
            return web.json_response(self.move(request.match_info["id"], **await request.json()))
        except Refused as refused:
            return web.json_response(refused.body(), status=refused.status)

    async def by_somebody(self, request: web.Request) -> web.StreamResponse:
        """POST /sandbox/refunds {"payment", "amount"}: somebody gives money back by hand, in the provider's dashboard."""
        body = await request.json()
        try:
            form = {"payment_intent": body["payment"], "amount": str(body["amount"])}
            refund = self.ledger.refund(form, key=None, status="succeeded", extra={})
        except Refused as refused:
            return web.json_response(refused.body(), status=refused.status)
        self.say("refund.created", refund)
        return web.json_response(refund)

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """POST /sandbox/webhooks {"url", "secret"}: who wants to hear; a url of null: nobody any more."""
        body = await request.json()
        self.webhooks.url, self.webhooks.secret = body["url"], body.get("secret", "")
        return web.json_response({"ok": True})


def public(body: dict[str, Any]) -> dict[str, Any]:
    """A refund, or an error, without what is nobody's business."""
    return {name: value for name, value in body.items() if not name.startswith("_") and name != "idempotency_key"}
