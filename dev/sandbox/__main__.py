"""`python -m dev.sandbox --port 12111`: the sandbox provider on its own."""

import argparse
import asyncio
import signal
from pathlib import Path

from dev.sandbox.server import Sandbox


async def run(bind: str, port: int, file: Path | None, accept_any: bool, key: str | None) -> None:
    """Until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Sandbox.start(port, host=bind, file=file, accept_any=accept_any, key=key) as sandbox:
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
    told = parser.parse_args()
    try:
        asyncio.run(run(told.bind, told.port, told.file, told.accept_any, told.key))
    except OSError as error:
        raise SystemExit(
            f"the sandbox provider can't listen on port {told.port} of {told.bind}: {error.strerror}; choose another with --port"
        ) from None


if __name__ == "__main__":
    main()
