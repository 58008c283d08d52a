"""Each user of Kafka may do what the contract says and nothing else; whoever can't get in hears why in one line."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, TopicAuthorizationFailedError
from pydantic import SecretStr

from dev.kafka import Kafka
from offramp_schemas import TOPICS, Envelope, examples
from offramp_schemas.refund_events import RefundReceived
from services.console import kafka as console
from services.console.trouble import Trouble
from services.runtime import access, kafka, topics
from services.runtime.access import AccessError
from services.runtime.engine import Engine
from services.runtime.service import Service
from services.runtime.settings import Settings, SettingsError
from services.runtime.stored import Pool
from services.runtime.topics import TopicError
from tests.runtime.secured import HOST, PASSWORDS, Secured, password_of
from tests.runtime.test_engine import Publish, until
from tests.runtime.toy import NOW, Purses, Toy, failed, started

SAMPLE = Envelope("sample", "//test", NOW, "sub_1", started())


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    """It has the topics of the contract, and nobody but its administrator."""
    broker = await Secured.start(tmp_path_factory.mktemp("secured"))
    await topics.create(broker.settings("admin"))
    yield broker
    await broker.broker.stop(keep=False)


@pytest.fixture(scope="module")
async def prepared(secured: Secured) -> Secured:
    """With users and rights."""
    await asyncio.to_thread(access.give, secured.settings("admin"), PASSWORDS)
    return secured


async def test_users_and_rights_are_made_once(secured: Secured) -> None:
    admin = secured.settings("admin")
    with pytest.raises(AccessError, match="new users need a password: give OFFRAMP_LIFECYCLE_KAFKA_PASSWORD"):
        access.give(admin, {})
    done = access.give(admin, PASSWORDS)
    assert {"made the user lifecycle", "gave refunds: write refund.events.v1", "gave notifier: read the groups of offramp.notifier."} <= {
        *done
    }
    assert access.give(admin, PASSWORDS) == []
    assert access.give(admin, {}) == [], "a user keeps its password"


async def test_a_right_that_the_contract_no_longer_gives_is_taken(prepared: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, contract = prepared.settings("admin"), access.wanted()
    generous = access._topics("notifier", access._READ, TOPICS) | contract
    monkeypatch.setattr(access, "wanted", lambda: generous)
    access.give(admin, {})
    monkeypatch.undo()
    assert "took notifier: read refund.request.v1" in access.give(admin, {})
    assert access.give(admin, {}) == []


async def write(settings: Settings, topic: str) -> None:
    async with AIOKafkaProducer(**kafka.connection(settings), enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"{}", key=b"sub_1")


async def read(settings: Settings, topic: str, group: str | None = None) -> None:
    consumer = AIOKafkaConsumer(topic, **kafka.connection(settings), group_id=group, auto_offset_reset="earliest")
    try:
        await consumer.start()
        await consumer.getmany(timeout_ms=2_000)
    finally:
        await consumer.stop()


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("lifecycle", "refund.events.v1"),  # which it reads
        ("lifecycle", "subscription.request.v1"),
        ("lifecycle", "refund.dead-letters.v1"),
        ("lifecycle", "notification.events.v1"),
        ("lifecycle", "notification.alerts.v1"),
        ("refunds", "lifecycle.events.v1"),
        ("refunds", "subscription.request.v1"),
        ("notifier", "lifecycle.events.v1"),
        ("notifier", "refund.request.v1"),
        ("notifier", "lifecycle.dead-letters.v1"),
        ("console", "refund.events.v1"),
        ("publisher", "refund.events.v1"),
        ("publisher", "lifecycle.dead-letters.v1"),
    ],
)
async def test_nobody_writes_what_is_not_theirs(prepared: Secured, user: str, topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await write(prepared.settings(user), topic)


@pytest.mark.parametrize("user", ["publisher", "console"])
async def test_who_publishes_writes_what_the_services_are_told(prepared: Secured, user: str) -> None:
    await write(prepared.settings(user), "email.feedback.v1")


async def test_who_publishes_reads_nothing(prepared: Secured) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await read(prepared.settings("publisher"), "subscription.request.v1")


async def test_nobody_joins_anothers_group(prepared: Secured) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await read(prepared.settings("lifecycle"), "refund.events.v1", "offramp.refunds.refund.request.v1")


async def test_a_service_does_all_its_work_under_its_own_name(prepared: Secured, pool: Pool, database: str) -> None:
    mine = prepared.settings("lifecycle", postgres=SecretStr(database), look_every=0.1, session_timeout=6)
    engine = Engine(Service("lifecycle", Toy(), Purses()), mine)
    await engine.start()
    try:
        async with AIOKafkaProducer(**kafka.connection(prepared.settings("publisher")), enable_idempotence=True) as producer:
            publish = Publish(producer)
            await publish(started(), "sub_1")
            await publish(failed(), "sub_1")
            await producer.send_and_wait("subscription.payment.v1", b"poison", key=b"sub_1")
        await until(lambda: pool.fetchval("select failed = 1 from purses where id = 'sub_1'"))
        await until(lambda: pool.fetchval("select exists(select from dead_letters) and not exists(select from outbox)"))
    finally:
        await engine.stop()
    async with AIOKafkaConsumer(
        "lifecycle.events.v1", "lifecycle.dead-letters.v1", **kafka.connection(prepared.settings("console")),
        group_id=None, auto_offset_reset="earliest",
    ) as consumer, asyncio.timeout(20):  # fmt: skip
        assert {(await consumer.getone()).topic for _ in range(2)} == {"lifecycle.events.v1", "lifecycle.dead-letters.v1"}


async def hears(settings: Settings) -> str:
    """What a user is told who can't be let in, whatever the time."""
    with pytest.raises(SettingsError) as refused:
        await kafka.explain(settings, KafkaConnectionError())
    return str(refused.value)


async def test_who_may_not_do_something_is_told_what_to_run(prepared: Secured) -> None:
    with pytest.raises(SettingsError, match=r"the user refunds may not do this in Kafka \(Topic.*prepare access"):
        await kafka.explain(prepared.settings("refunds"), TopicAuthorizationFailedError())


async def test_the_command_line_tells_a_wrong_password_and_a_missing_right(prepared: Secured) -> None:
    wrong = prepared.settings("console", kafka_password=SecretStr("a wrong one"))
    with pytest.raises(Trouble, match="Kafka refused the user console or its password"):
        await console.send(wrong, SAMPLE)
    with pytest.raises(Trouble, match="the user console may not do this in Kafka"):
        await console.send(prepared.settings("console"), SAMPLE._replace(data=examples.load(RefundReceived)))
    await console.send(prepared.settings("publisher"), SAMPLE)
    async with console.Reader.open(prepared.settings("console"), [topic.name for topic in TOPICS], from_beginning=True) as reader:
        assert any([seen.envelope async for batch in reader.to_the_end() for seen in batch])


async def test_a_wrong_password_is_called_one(prepared: Secured) -> None:
    wrong = prepared.settings("lifecycle", kafka_password=SecretStr("a wrong one"))
    assert "Kafka refused the user lifecycle or its password: check OFFRAMP_KAFKA_USER" in await hears(wrong)


async def test_a_mechanism_that_the_broker_does_not_have_is_named(prepared: Secured) -> None:
    assert "Kafka does not let users in by SCRAM-SHA-256" in await hears(prepared.settings("lifecycle", kafka_mechanism="SCRAM-SHA-256"))


async def test_a_certificate_of_another_authority_is_not_believed(prepared: Secured, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    assert "not signed by OFFRAMP_KAFKA_CA" in await hears(prepared.settings("lifecycle", kafka_ca=tmp_path / "ca.crt"))


async def test_a_certificate_for_another_host_is_not_believed(prepared: Secured) -> None:
    elsewhere = prepared.settings("lifecycle", kafka=prepared.broker.address.replace(HOST, "localhost"))
    assert "Kafka's certificate is not for the host in OFFRAMP_KAFKA" in await hears(elsewhere)


async def test_a_client_in_the_clear_is_sent_to_the_setting(prepared: Secured) -> None:
    clear = prepared.settings("lifecycle", kafka_tls="off", kafka_ca=None)
    assert await kafka.explain(clear, KafkaConnectionError()) == "Kafka ends the connection at once: check OFFRAMP_KAFKA_TLS (it is off)"


async def test_a_client_without_a_name_is_asked_for_one(prepared: Secured) -> None:
    nobody = prepared.settings("lifecycle", kafka_user=None, kafka_password=None)
    assert "does it want a user (OFFRAMP_KAFKA_USER)?" in await kafka.explain(nobody, KafkaConnectionError())


async def test_a_client_that_wants_tls_of_a_broker_without_is_told(prepared: Secured, kafka_in_the_clear: Kafka) -> None:
    encrypted = prepared.settings("lifecycle", kafka=kafka_in_the_clear.address)
    assert await kafka.explain(encrypted, KafkaConnectionError()) == "Kafka ends the connection at once: check OFFRAMP_KAFKA_TLS (it is on)"


async def test_a_user_of_a_broker_without_users_is_told(prepared: Secured, kafka_in_the_clear: Kafka) -> None:
    named = prepared.settings("lifecycle", kafka=kafka_in_the_clear.address, kafka_tls="off", kafka_ca=None)
    assert "takes no user" in await hears(named)


async def test_only_an_administrator_gives_rights_and_makes_topics(prepared: Secured) -> None:
    lifecycle = prepared.settings("lifecycle")
    with pytest.raises(AccessError, match="the user lifecycle is not Kafka's administrator"):
        access.give(lifecycle, PASSWORDS)


async def test_without_an_authorizer_there_are_no_rights_to_give(kafka_in_the_clear: Kafka) -> None:
    with pytest.raises(AccessError, match="no authorizer"):
        access.give(Settings(kafka=kafka_in_the_clear.address), PASSWORDS)


async def test_a_service_that_may_not_see_its_topics_is_told_what_to_run(prepared: Secured) -> None:
    with pytest.raises(TopicError, match=r"this user may not read the topic subscription\.request\.v1"):
        await topics.check(prepared.settings("notifier"), [each for each in TOPICS if each.name == "subscription.request.v1"])


@pytest.fixture
def kafka_in_the_clear(kafka: Kafka) -> Kafka:
    """The session's, which everybody may use."""
    return kafka


async def test_prepare_does_it_all_from_files(secured: Secured, tmp_path: Path) -> None:
    environment = {f"OFFRAMP_{user.upper()}_KAFKA_PASSWORD_FILE": tmp_path / user for user in PASSWORDS}
    for user, password in PASSWORDS.items():
        (tmp_path / user).write_text(password + "\n")
    (tmp_path / "admin").write_text(password_of("admin"))
    environment |= {"OFFRAMP_KAFKA_PASSWORD_FILE": tmp_path / "admin", "OFFRAMP_KAFKA_CA": secured.ca}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.runtime.prepare", "topics", "access",
        env={
            **{name: str(path) for name, path in environment.items()},
            "OFFRAMP_KAFKA": secured.broker.address, "OFFRAMP_KAFKA_TLS": "on",
            "OFFRAMP_KAFKA_USER": "admin", "OFFRAMP_KAFKA_MECHANISM": "PLAIN",
        },
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "password" not in output.decode()
