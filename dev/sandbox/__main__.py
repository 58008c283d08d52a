"""`python -m dev.sandbox --port 12111`: the sandbox provider on its own."""

import argparse
import asyncio
import signal
from pathlib import Path

from dev.sandbox.server import Sandbox


async def run(told: argparse.Namespace) -> None:
    """Until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Sandbox.start(told.port, host=told.bind, file=told.file, accept_any=told.accept_any, key=told.key) as sandbox:
        sandbox.webhooks.url, sandbox.webhooks.secret = told.webhooks, told.webhook_secret
        print(f"sandbox provider: {sandbox.url}", flush=True)
        await stop.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox", description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 (the default): any that is free")
    parser.add_argument("--file", type=Path, help="SQLite file to keep the books in; without one they are forgotten")
    parser.add_argument("--accept-any", action="store_true", help="every payment exists as soon as it is spoken of")
    parser.add_argument("--key", help="the API key that /v1 asks for; without one it lets everybody in")
    parser.add_argument("--webhooks", metavar="URL", help="who wants to hear of refunds, like http://127.0.0.1:8102/webhooks/provider")
    parser.add_argument("--webhook-secret", default="whsec_sandbox", help="what webhooks are signed with (%(default)s)")
    parser.add_argument("--webhook-secret-file", type=Path, help="the same, in a file")
    told = parser.parse_args()
    if told.webhook_secret_file:
        told.webhook_secret = told.webhook_secret_file.read_text().strip()
    try:
        asyncio.run(run(told))
    except OSError as error:
        raise SystemExit(
            f"the sandbox provider can't listen on port {told.port} of {told.bind}: {error.strerror}; choose another with --port"
        ) from None


if __name__ == "__main__":
    main()
