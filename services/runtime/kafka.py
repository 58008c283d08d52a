"""How every client connects to Kafka: in the clear or by TLS, as anybody or as a user; and what is wrong when it can't."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn

from services.runtime import tls
from services.runtime.settings import Settings, SettingsError

_PROTOCOL = {(False, False): "PLAINTEXT", (True, False): "SSL", (False, True): "SASL_PLAINTEXT", (True, True): "SASL_SSL"}
_ASKED_WITHIN, _DONE_WITHIN = 5_000, 15_000  # milliseconds
_FORBIDDEN = (errors.TopicAuthorizationFailedError, errors.GroupAuthorizationFailedError, errors.ClusterAuthorizationFailedError)
_LOADING = (errors.GroupLoadInProgressError, errors.GroupCoordinatorNotAvailableError, errors.NotCoordinatorForGroupError)
_REFUSED = (errors.SaslAuthenticationFailed, errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError)


def connection(settings: Settings) -> dict[str, Any]:
    """The keyword arguments that every aiokafka client gets."""
    encrypted, named = settings.kafka_tls == "on", settings.kafka_user is not None
    how: dict[str, Any] = {"bootstrap_servers": settings.kafka, "security_protocol": _PROTOCOL[encrypted, named]}
    if encrypted:
        how["ssl_context"] = tls.context(settings.kafka_ca)
    if settings.kafka_user and settings.kafka_password:
        how |= {
            "sasl_mechanism": settings.kafka_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return how


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for questions about topics and groups."""
    client = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=_DONE_WITHIN)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def explain(settings: Settings, error: BaseException) -> str:
    """Why a client does not get through. Raises SettingsError where waiting would not help.

    What keeps it from connecting, aiokafka only logs: so each server is asked once more, by hand.
    """
    if isinstance(error, _FORBIDDEN):
        raise SettingsError(
            f"the user {settings.kafka_user} may not do this in Kafka ({type(error).__name__}): "
            "use one who may, or run `python -m services.runtime.prepare access`"
        )
    if isinstance(error, errors.BrokerResponseError):
        what = "has not loaded its consumer groups yet" if isinstance(error, _LOADING) else "answers, but not as it should"
        return f"Kafka {what} ({type(error).__name__})"
    how = connection(settings)
    message = f"Kafka does not answer at {settings.kafka}: is it running, and is OFFRAMP_KAFKA right?"
    for server in how.pop("bootstrap_servers").split(","):
        host, _, port = server.rpartition(":")
        try:
            (await create_conn(host.strip("[]"), int(port), request_timeout_ms=_ASKED_WITHIN, **how)).close()
        except ssl.SSLCertVerificationError as refused:
            raise SettingsError(tls.explain("Kafka", refused)) from None
        except _REFUSED as refused:
            raise SettingsError(_explain_refusal(settings, refused)) from None
        except ssl.SSLError as refused:
            message = tls.explain("Kafka", refused)
        except (errors.KafkaConnectionError, ConnectionResetError):
            message = f"Kafka ends the connection at once: check OFFRAMP_KAFKA_TLS (it is {settings.kafka_tls})"
        except (errors.KafkaError, OSError, TimeoutError):
            continue
        else:
            message = "Kafka answers, and ends the connection when it is asked something" + (
                "" if settings.kafka_user else ": does it want a user (OFFRAMP_KAFKA_USER)?"
            )
    return message


def _explain_refusal(settings: Settings, error: errors.KafkaError) -> str:
    match error:
        case errors.SaslAuthenticationFailed():
            return f"Kafka refused the user {settings.kafka_user} or its password: check OFFRAMP_KAFKA_USER and OFFRAMP_KAFKA_PASSWORD"
        case errors.UnsupportedSaslMechanismError():
            return f"Kafka does not let users in by {settings.kafka_mechanism}: set OFFRAMP_KAFKA_MECHANISM to what its listener has"
        case _:
            return "Kafka lets everybody in there, and takes no user: use the port that does, or leave OFFRAMP_KAFKA_USER out"
