"""The ceiling of sending: aiosmtplib alone, with mails that were written before, over as many connections as the notifier has.

Runs as a process of its own (`python -m bench.bare_smtp`) and prints one line of JSON.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle, islice

import cyclopts
from aiosmtplib import SMTP

from bench.load import LANGUAGES, REFUND_MAILS
from dev.places import HOST
from services.notifier.mails import Tell, choose
from services.notifier.policy import NotifierPolicy
from services.notifier.render import Renderer
from services.notifier.smtp_message import Outgoing, build


def written() -> list[Outgoing]:
    """One of each kind and language."""
    policy = NotifierPolicy()
    renderer = Renderer(policy)
    mails = []
    for fact in REFUND_MAILS:
        tell = choose(fact)
        assert isinstance(tell, Tell), "it is told by mail"
        context = {"fact": type(fact).__name__, "data": fact.model_dump(mode="json")}
        for language in LANGUAGES:
            rendered = renderer.render(tell.template, language, context, "sub_1", "mail_1")
            request = {
                "to": "ada@example.com", "date": datetime.now(UTC).isoformat(), "message_id": "<1@example.com>", "class": "proof",
                "subscription_id": "sub_1", "mail_id": "mail_1",
            }  # fmt: skip
            mails.append(build(request, rendered, policy))
    return mails


async def send(port: int, mails: Iterator[Outgoing]) -> None:
    """All that are left, on one connection."""
    async with SMTP(hostname=HOST, port=port) as client:
        for mail in mails:
            await client.mail(mail.sender)
            await client.rcpt(mail.to)
            await client.data(mail.content)


async def measure(port: int, mails: int, connections: int) -> dict[str, float]:
    waiting = islice(cycle(written()), mails)
    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(send(port, waiting) for _ in range(connections)))
    return {"sent": mails / (time.perf_counter() - started), "cpu": (time.process_time() - cpu) / mails * 1e6}


def main(*, port: int, mails: int, connections: int) -> None:
    print(json.dumps(asyncio.run(measure(port, mails, connections))))


if __name__ == "__main__":
    cyclopts.run(main)
