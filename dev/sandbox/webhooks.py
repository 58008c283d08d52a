"""The sandbox's webhooks: signed as Stripe's, and lost, doubled, late or out of order when told to."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from dev.sandbox.behaviour import Behaviour

_TRIES = 10  # as Stripe goes on for days, so this goes on for some seconds
_PAUSE = 0.2  # seconds, and longer each time
_WITHIN = aiohttp.ClientTimeout(total=10)


@dataclass(slots=True)
class Webhooks:
    """Posts to `url`, signed with `secret`; nothing at all while there is no url."""

    url: str | None = None
    secret: str = ""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Every event that was made, lost ones included, for audits."""
    _held: list[bytes] = field(default_factory=list)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def tell(self, kind: str, refund: Mapping[str, Any], behaviour: Behaviour | None) -> None:
        """Something happened to a refund. Returns at once."""
        if self.url is None:
            return
        event = {
            "id": f"evt_{len(self.sent) + 1}_{refund['id']}", "object": "event", "type": kind, "created": int(time.time()),
            "data": {"object": dict(refund)},
        }  # fmt: skip
        self.sent.append(event)
        body, do = json.dumps(event).encode(), behaviour.do if behaviour else None
        match do:
            case "lose_webhook":
                return
            case "hold_webhook":
                self._held.append(body)
                return
        times = 2 if do == "double_webhook" else 1
        bodies = [body] * times + self._held[::-1]  # what was held comes after what happened later
        self._held.clear()
        self._start(bodies, behaviour.seconds if behaviour and do == "late_webhook" else 0.0)

    async def settle(self) -> None:
        """Until nothing is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def stop(self) -> None:
        """What is under way is lost."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _start(self, bodies: list[bytes], after: float) -> None:
        task = asyncio.create_task(self._deliver(bodies, after))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, bodies: list[bytes], after: float) -> None:
        await asyncio.sleep(after)
        async with aiohttp.ClientSession(timeout=_WITHIN) as session:
            for body in bodies:
                for attempt in range(_TRIES):
                    if await self._post(session, body):
                        break
                    await asyncio.sleep(_PAUSE * (attempt + 1))

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        """Whether it was taken."""
        now = str(int(time.time()))
        signature = hmac.new(self.secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={now},v1={signature}", "Content-Type": "application/json"}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.post(self.url or "", data=body, headers=headers) as response:
                return response.status < 300
        return False
