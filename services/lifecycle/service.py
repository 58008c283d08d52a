"""lifecycle, put together: its rules over its tables. It asks nothing of the outside."""

from services.lifecycle.decide import Lifecycle
from services.lifecycle.policy import Policy
from services.lifecycle.states import Subscription
from services.lifecycle.store import Subscriptions
from services.runtime import policy_versions
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.stored import Connection


async def build(settings: Settings, connection: Connection) -> Service[Subscription]:
    """The service, with every policy version it has ever used. Raises PolicyError."""
    policies = await policy_versions.remember(connection, settings.policy_file, "lifecycle", Policy)
    return Service("lifecycle", Lifecycle(policies), Subscriptions())
