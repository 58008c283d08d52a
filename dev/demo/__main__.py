"""`make demo`: four stories over two months, on a fresh stack and the test clock. Exits 1 if anything is not as it should be."""

from __future__ import annotations

import sys
import time

from dev import foreground
from dev.demo.page import Page
from dev.demo.play import play

_INTERRUPTED = 130


def main() -> int:
    """0 only when it was played to its end, and the end was the right one."""
    page, started = Page(), time.monotonic()
    ended = False

    async def whole() -> None:
        nonlocal ended
        await play(page)
        ended = True

    status = foreground.run(whole())
    if ended:
        page.quiet(f"Everything is stopped, and nothing is left of it. It took {time.monotonic() - started:.0f} s.")
    return status if ended or status else _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
