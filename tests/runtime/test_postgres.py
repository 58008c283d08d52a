"""Connections to Postgres are encrypted when they should be, to the right server, and say what is wrong when they can't be."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from pydantic import SecretStr

from dev.postgres import Postgres
from services.runtime import postgres as client
from services.runtime.settings import Settings, SettingsError
from services.runtime.waiting import patiently

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> Path:
    """The file with its certificate."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    return tmp_path / "ca.crt"


@asynccontextmanager
async def encrypted(postgres: Postgres, certificate: trustme.LeafCert) -> AsyncIterator[int]:
    """The port of a door with TLS before the real server, whose wheel is built without."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)

    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):  # who does not believe us goes away
            assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
            writer.write(b"S")
            await writer.start_tls(context)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", postgres.port)
            await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    async with await asyncio.start_server(let_in, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


def settings(dsn: str, port: int, ca: Path, host: str = "127.0.0.1") -> Settings:
    parts = urlsplit(dsn)
    address = f"{parts.scheme}://{parts.username}:{parts.password}@{host}:{port}{parts.path}"
    return Settings(postgres=SecretStr(address), postgres_tls="on", postgres_ca=ca, start_timeout=0.1)


async def refusal(wanted: Settings) -> str:
    """What is said at once, since no waiting would help."""
    with pytest.raises(SettingsError) as refused:
        await patiently(wanted, lambda: client.connect(wanted))
    return str(refused.value)


async def test_a_certified_server_is_spoken_to_by_tls(postgres: Postgres, authority: trustme.CA, ca: Path) -> None:
    async with encrypted(postgres, authority.issue_cert("127.0.0.1")) as port:
        wanted = settings(postgres.dsn, port, ca)
        connection = await client.connect(wanted)
        assert await connection.fetchval("select 1") == 1
        await connection.close()
        async with await client.pool(wanted, "lifecycle") as pool:
            assert await pool.fetchval("select 1") == 1


async def test_a_certificate_of_another_authority_is_not_believed(postgres: Postgres, ca: Path) -> None:
    async with encrypted(postgres, trustme.CA().issue_cert("127.0.0.1")) as port:
        assert "Postgres's certificate is not signed by OFFRAMP_POSTGRES_CA" in await refusal(settings(postgres.dsn, port, ca))


async def test_a_certificate_for_another_host_is_not_believed(postgres: Postgres, authority: trustme.CA, ca: Path) -> None:
    async with encrypted(postgres, authority.issue_cert("postgres.example.com")) as port:
        for host in ("127.0.0.1", "localhost"):
            message = await refusal(settings(postgres.dsn, port, ca, host))
            assert message.startswith("Postgres's certificate is not for the host in OFFRAMP_POSTGRES")


async def test_a_server_without_tls_is_not_spoken_to_in_the_clear(postgres: Postgres, ca: Path) -> None:
    wanted = settings(postgres.dsn, postgres.port, ca)
    with pytest.raises(TimeoutError, match="Postgres does not speak TLS: let it, or set OFFRAMP_POSTGRES_TLS=off"):
        await patiently(wanted, lambda: client.connect(wanted))
