"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Counts of events, and seconds."""

    rounds: int = 3
    charges: int = 60_000
    faststream: int = 4_000
    window: float = 10.0  # of a latency, counted `rounds` times
    backlog: int = 300_000
    mails: int = 9_000
    customers: int = 1_000  # of the story of two months
    idle: float = 60.0
    batch: int = 500


FULL = Scale(backlog=1_000_000)
QUICK = Scale(rounds=1, charges=20_000, faststream=2_000, window=5.0, backlog=50_000, mails=3_000, customers=100, idle=15.0)
