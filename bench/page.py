"""docs/performance.md, written by the bench itself."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import Record, as_markdown, as_rows
from bench.scale import Scale

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TEXT = """# How fast, how big

Written by `make bench`; the same figures for machines are in `bench/results.json`.

{table}

Measured on {machine}. "load" is the load average just before, which is the work of others: above the number of cores, times and rates
tell of the neighbours, and only ratios of Offramp. Measurements are taken one at a time: rows with another load may be of an older run.
Everything runs on that one machine: Kafka, PostgreSQL (with fsync, as in production), the services, and whoever publishes and measures.
So **ratios** count: ours and the yardstick's runs take turns on the same servers, and a ratio is the median of those of single runs.

- **The ceiling** (`bench/ceiling.py`) is bare aiokafka and asyncpg with set-based SQL and no domain: what the machine can do with an
  event, to Postgres and back to Kafka. Ours does that, and: checks the envelope and the whole event, keeps a state of about a kilobyte
  instead of three ids, a history of each transition, and follow-ups that carry what a mail needs.
- **FastStream** (`bench/peer_faststream.py`) is one transaction per event, acknowledged after it, in order; it stops at the outbox.
- **Bare aiosmtplib** (`bench/bare_smtp.py`) sends mails that were written before, over as many connections, to the same server, which
  takes everything and keeps nothing (`bench/sink.py`). The notifier does that, and: reads and decides three facts of each refund, stores
  each mail before and after it is sent, writes it in one of six languages, and says on Kafka that it is sent. One process.
- Decisions are searched for what is slow: lifecycle in every state that its tests tell apart and with a dozen unpaid invoices, refunds with
  a dozen open refunds that nobody deals with for a week, notifier with an open mail of every kind; there everything that can be heard is
  heard. A decision that says more takes longer (a new card asks for a dozen charges): the bound is for each event heard or said.
- The two months are lived by a thousand customers in ten ways to stay or leave, a hundred in each way on the same days; with the mailbox
  and the payment provider to play with. The clock stops wherever a timer is due; customers whose timers lie apart make more stops, and
  a stop takes a tenth of a second or more. Its CPU, of everything together and divided by the cores, is what it takes on a quiet machine
  at least.
- Throughput is {charges:,} PaymentFailed for 20,000 subscriptions that are known, waiting on the topic; from the first transaction until
  the last follow-up is on Kafka. One lifecycle process; nothing else runs.
- Latencies have no yardstick beside them and need free cores: where the load average is above the number of cores, they tell more of
  the neighbours than of Offramp. A refund request with its three mails takes about as much CPU, over all services, servers and
  the mailbox, as two cores have at 50 a second: where anything else runs, mails queue.
- "Event to follow-up" ends when a consumer has the follow-up; lifecycle runs alone. "First mail" ends when the mail server has
  written the mail; all three services run.
- The backlog is of charges that failed again and again for a few thousand customers, heard by lifecycle and refunds, and of the mails
  that follow.
- `make bench` takes about a quarter of an hour; `python -m bench --quick` three minutes; `python -m bench throughput --rounds 5 --write`
  measures one thing and replaces its rows.
"""


class Measured(NamedTuple):
    """What was measured under one name, on what, and how busy it was besides at the beginning."""

    machine: str
    load: str
    figures: list[Record]


def write(order: Sequence[str], name: str, measured: Measured) -> None:
    """What one measurement found, among what the others found before."""
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found[name] = measured._asdict()
    found = {each: found[each] for each in order if each in found}
    RESULTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    rows = [(*row, each["load"]) for each in found.values() for row in as_rows(each["figures"])]
    machines = " / ".join(dict.fromkeys(each["machine"] for each in found.values()))
    PAGE.write_text(TEXT.format(table=as_markdown(rows, "load"), machine=machines, charges=Scale().charges))
