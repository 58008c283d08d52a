"""docs/performance.md, written by the bench itself."""

from collections.abc import Sequence
from pathlib import Path

from bench import machine
from bench.figures import Figure, as_markdown
from bench.scale import Scale

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TEXT = """# How fast, how big

Written by `make bench`; the same figures for machines are in `bench/results.json`.

{table}

Measured on {machine}. Other work on the machine at the beginning: load average {busy}.
Everything runs on that one machine: Kafka, PostgreSQL (with fsync, as in production), the services, and whoever publishes and measures.
So **ratios** count: ours and the yardstick's runs take turns on the same servers, and a ratio is the median of those of single runs.

- **The ceiling** (`bench/ceiling.py`) is bare aiokafka and asyncpg with set-based SQL and no domain: what the machine can do with an
  event, to Postgres and back to Kafka. Ours does that, and: checks the envelope and the whole event, keeps a state of about a kilobyte
  instead of three ids, a history of each transition, and follow-ups that carry what a mail needs.
- **FastStream** (`bench/peer_faststream.py`) is one transaction per event, acknowledged after it, in order; it stops at the outbox.
- Throughput is {charges:,} PaymentFailed for 20,000 subscriptions that are known, waiting on the topic; from the first transaction until
  the last follow-up is on Kafka. One lifecycle process; nothing else runs.
- Latencies have no yardstick beside them and need free cores: where the load average is above the number of cores, they tell more of
  the neighbours than of Offramp. A refund request with its three mails takes about as much CPU, over all services, servers and
  the mailbox, as two cores have at 50 a second: where anything else runs, mails queue.
- "Event to follow-up" ends when a consumer has the follow-up; lifecycle runs alone. "First mail" ends when the mail server has
  written the mail; all three services run.
- The backlog is of charges that failed again and again for a few thousand customers, heard by lifecycle and refunds, and of the mails
  that follow.
- `make bench` takes about ten minutes; `python -m bench --quick` two; `python -m bench throughput --rounds 5` one figure only.
"""


def write(figures: Sequence[Figure], scale: Scale, busy: str) -> None:
    """The whole page anew."""
    PAGE.write_text(TEXT.format(table=as_markdown(figures), machine=machine.described(), busy=busy, charges=scale.charges))
