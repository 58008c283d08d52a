"""notifier, put together: its rules over its tables, and the mail server behind its calls."""

from prometheus_client import Gauge

from services.notifier.decide import Notifier
from services.notifier.policy import NotifierPolicy
from services.notifier.render import Renderer
from services.notifier.smtp import MailServer, Postman
from services.notifier.states import Letters
from services.notifier.store import QUERIES, Correspondences
from services.runtime import policy_versions
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.stored import Connection
from services.runtime.telemetry import REGISTRY, TableGauge

OPEN = Gauge("offramp_mails_open", "Mails that have not left, or that somebody is to look at", ["state", "class"], registry=REGISTRY)
LATE = Gauge(
    "offramp_proofs_late", "Confirmations past the promised time: those that wait, and those of the last day that were sent", ["state"],
    registry=REGISTRY,
)  # fmt: skip
WAITS = Gauge("offramp_mail_wait_seconds", "How long the oldest unsent mail to a customer has been waiting", ["class"], registry=REGISTRY)


async def build(settings: Settings, connection: Connection) -> Service[Letters]:
    """The service, with every policy version it has ever used. Raises PolicyError."""
    policies = await policy_versions.remember(connection, settings.policy_file, "notifier", NotifierPolicy)
    host, _, port = settings.smtp.rpartition(":")
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    server = MailServer(
        host, int(port), settings.smtp_user, password, settings.smtp_tls, settings.smtp_connections, rest=settings.retry_pause
    )
    postman = Postman(server, policies.current, Renderer(policies.current))
    gauges = (
        TableGauge(OPEN, QUERIES["count_open"]),
        TableGauge(LATE, QUERIES["count_late"]),
        TableGauge(WAITS, QUERIES["longest_waits"]),
    )
    forgets = (QUERIES["forget_texts"],)
    return Service("notifier", Notifier(policies), Correspondences(), {"mail": postman}, forgets, gauges, (server,))
