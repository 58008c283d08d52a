"""A broker that lets nobody in without TLS and a password, and does nothing for whom it has no rights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import SecretStr

from dev.kafka import Kafka
from services.runtime import access
from services.runtime.settings import Settings

HOST = "127.0.0.1"
PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="{0}" user_admin="{0}";'


def password_of(user: str) -> str:
    return f"the password of {user}"


PASSWORDS = {user: password_of(user) for user in access.USERS}


@dataclass(frozen=True)
class Secured:
    """The broker, and the file with its authority's certificate."""

    broker: Kafka
    ca: Path

    @classmethod
    async def start(cls, directory: Path) -> Secured:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(directory / "ca.crt"))
        certified = authority.issue_cert(HOST)
        key = load_pem_private_key(certified.private_key_pem.bytes(), None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the only form that Java reads
        (directory / "broker.pem").write_bytes(pem + b"".join(each.bytes() for each in certified.cert_chain_pems))
        return cls(await Kafka.start(directory, properties=_properties(directory)), directory / "ca.crt")

    def settings(self, user: str, **others: object) -> Settings:
        """Those of a user."""
        how = {"kafka_mechanism": "PLAIN"} if user == "admin" else {}
        return Settings(**{  # type: ignore[arg-type]  # each is of its own type
            "kafka": self.broker.address, "kafka_tls": "on", "kafka_ca": self.ca,
            "kafka_user": user, "kafka_password": SecretStr(password_of(user)), **how, **others,
        })  # fmt: skip


def _properties(directory: Path) -> dict[str, str]:
    return {
        "listener.security.protocol.map": "PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(directory / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(directory / "ca.crt"),  # a broker is a client of itself
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": PLAIN.format(password_of("admin")),
        "listener.name.plaintext.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",  # the latter is the broker itself, at its controller
    }
