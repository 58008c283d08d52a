"""At start, Kafka and Postgres may not be there yet: they are waited for, and what is missing is said once."""

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from aiokafka.errors import KafkaError

from services.runtime import kafka, postgres
from services.runtime.settings import Settings, SettingsError

Result = TypeVar("Result")
NO_USE_WAITING = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, ssl.SSLCertVerificationError)


async def patiently(settings: Settings, attempt: Callable[[], Awaitable[Result]]) -> Result:
    """Tries until it works, or the start timeout is over (TimeoutError). Raises SettingsError where waiting does not help."""
    loop = asyncio.get_running_loop()
    deadline, said = loop.time() + settings.start_timeout, False
    while True:
        try:
            return await attempt()
        except NO_USE_WAITING as error:
            raise SettingsError(postgres.explain(error)) from None
        except (KafkaError, asyncpg.PostgresError, OSError, TimeoutError) as error:
            message = await kafka.explain(settings, error) if isinstance(error, KafkaError) else postgres.explain(error)
            if loop.time() > deadline:
                raise TimeoutError(f"{message} (waited {settings.start_timeout:.0f} s)") from None
            if not said:
                print(f"waiting: {message}", file=sys.stderr, flush=True)
                said = True
            await asyncio.sleep(0.5)
