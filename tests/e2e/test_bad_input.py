"""What is set up wrongly is refused with one clear message, and never looks healthy."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.e2e.engine import Ended
from tests.e2e.project import Project
from tests.e2e.world import World, kafka_as

MODES = ("plain",)
NEWER = "refunds/9999_from_the_future.sql"


def refused(done: Ended, *words: str) -> None:
    """It ended at once, by its own decision, with one message that has these words in it."""
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "Traceback" not in said
    [message] = [line for line in said.splitlines() if line.startswith("offramp ")]
    assert all(word in message for word in words), message


@pytest.fixture
def wrong_secrets(project: Project, tmp_path: Path) -> Path:
    """A copy of the secrets, to spoil."""
    return Path(shutil.copytree(project.secrets, tmp_path / "secrets"))


def spoil(secrets: Path, name: str, content: str) -> dict[str, str]:
    """The variable that leads compose to these secrets."""
    (secrets / name).chmod(0o644)
    (secrets / name).write_text(content)
    return {"SECRETS": str(secrets)}


def psql(project: Project, statement: str) -> None:
    """As the superuser of the database."""
    password = f"--env=PGPASSWORD={project.secret('postgres_password')}"
    client = ("psql", "--host=127.0.0.1", "--username=postgres", "--dbname=offramp", "--command", statement)
    project.compose("exec", "--no-TTY", password, "postgres", *client)


def test_a_missing_secret_is_named(project: Project, wrong_secrets: Path) -> None:
    (wrong_secrets / "refunds_password").unlink()
    done = project.run("refunds", environment={"SECRETS": str(wrong_secrets)})
    assert done.returncode != 0
    assert "refunds_password" in done.stderr


def test_an_empty_secret_is_named(project: Project, wrong_secrets: Path) -> None:
    refused(project.run("refunds", environment=spoil(wrong_secrets, "refunds_password", "")), "OFFRAMP_POSTGRES_PASSWORD_FILE", "empty")


def test_a_service_that_starts_with_a_wrong_password_fails_the_whole_start(project: Project, wrong_secrets: Path) -> None:
    wrong = spoil(wrong_secrets, "notifier_password", "guessed")
    refused(project.run("notifier", environment=wrong), "password")
    again = ("up", "--detach", "--no-deps", "--force-recreate", "--wait", "--wait-timeout=120", "notifier")
    try:
        assert project.compose(*again, may_fail=True, environment=wrong, within=180).returncode != 0
        [container] = project.containers("notifier")
        assert container["Health"] != "healthy"
        assert "password" in project.logs("notifier")
    finally:
        project.compose(*again, within=180)


def test_a_service_with_another_clock_does_not_start(project: Project) -> None:
    refused(project.run("lifecycle", options=["--env=OFFRAMP_CLOCK=system"]), "test clock", "OFFRAMP_CLOCK=test")


@pytest.fixture
def newer(project: Project) -> Iterator[None]:
    """A database that a newer version has migrated."""
    psql(project, f"insert into refunds.migrations (name, sha256) values ('{NEWER}', '')")
    yield
    psql(project, f"delete from refunds.migrations where name = '{NEWER}'")


@pytest.mark.parametrize("service", ["migrate", "refunds"])
def test_a_database_that_a_newer_version_migrated_is_left_alone(project: Project, newer: None, service: str) -> None:
    refused(project.run(service), "newer version", NEWER)


def test_a_second_deployment_is_kept_off_the_first_one_s_kafka(project: Project) -> None:
    psql(project, "create database second")
    try:
        options = ["--env=OFFRAMP_POSTGRES=postgresql://postgres@postgres/second"]
        assert project.run("migrate", options=options).returncode == 0
        options = ["--env=OFFRAMP_POSTGRES=postgresql://offramp_lifecycle@postgres/second"]
        refused(project.run("lifecycle", options=options), "belongs to another database")
    finally:
        psql(project, "drop database second with (force)")


@pytest.fixture
async def narrow(world: World) -> AsyncIterator[None]:
    """`email.feedback.v1`, which nobody here writes to, with too few partitions."""
    admin = AIOKafkaAdminClient(**kafka_as(world.project, "admin"))
    await admin.start()
    await world.compose("stop", "notifier")
    await admin.delete_topics(["email.feedback.v1"])
    await admin.create_topics([NewTopic("email.feedback.v1", 2, 1)])
    yield
    await admin.delete_topics(["email.feedback.v1"])
    await admin.close()
    await world.compose("run", "--rm", "--no-deps", "topics")
    await world.up("notifier")
    await world.settle()


@pytest.mark.parametrize("service", ["topics", "notifier"])
async def test_a_topic_with_too_few_partitions_is_refused(project: Project, narrow: None, service: str) -> None:
    refused(project.run(service), "email.feedback.v1", "2 partitions", "needs 6")
