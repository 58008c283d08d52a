"""refunds, put together: its rules over its tables, and the payment provider behind its calls."""

from typing import TYPE_CHECKING

from prometheus_client import Gauge
from pydantic import SecretStr

from services.refunds.decide import Refunds
from services.refunds.policy import Policy
from services.refunds.providers.port import callers
from services.refunds.providers.sandbox import SandboxProvider
from services.refunds.states import Account
from services.refunds.store import QUERIES, RefundStore
from services.refunds.webhooks import PATH, Webhooks
from services.runtime import policy_versions
from services.runtime.service import Door, Service
from services.runtime.settings import Settings
from services.runtime.stored import Connection
from services.runtime.telemetry import REGISTRY, TableGauge

if TYPE_CHECKING:
    from services.refunds.providers.stripe import StripeProvider

CASES = Gauge(
    "offramp_foreign_refunds_open", "Refunds that somebody else made and nobody has explained", ["owner", "overdue"], registry=REGISTRY
)
OPEN = Gauge("offramp_refunds_open", "Refunds that are not over", ["state", "owner", "level", "overdue"], registry=REGISTRY)


async def build(settings: Settings, connection: Connection) -> Service[Account]:
    """The service, with every policy version it has ever used. Raises PolicyError."""
    policies = await policy_versions.remember(connection, settings.policy_file, "refunds", Policy)
    provider = _provider(settings)
    gauges = (TableGauge(OPEN, QUERIES["count_open"]), TableGauge(CASES, QUERIES["count_cases"]))
    return Service(
        "refunds",
        Refunds(policies),
        RefundStore(policies),
        callers(provider),
        gauges=gauges,
        doors=_doors(settings.provider_webhook_secrets),
        resources=(provider,),
    )


def _provider(settings: Settings) -> "SandboxProvider | StripeProvider":
    key = settings.provider_key.get_secret_value()
    if settings.provider == "sandbox":
        return SandboxProvider(settings.provider_url, key)
    from services.refunds.providers import stripe  # noqa: PLC0415 -- its library takes seconds to load, and most processes do without

    return stripe.StripeProvider(settings.provider_url if "provider_url" in settings.model_fields_set else stripe.URL, key)


def _doors(secrets: SecretStr | None) -> dict[str, Door]:
    """Without a secret nobody could be believed: then there is no door."""
    given = [each.strip().encode() for each in secrets.get_secret_value().split(",") if each.strip()] if secrets else []
    return {PATH: Webhooks(given).take} if given else {}
