"""Whose a consumer group is. Two databases on one group would each miss what the other one reads, and neither would notice."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupIdNotFound, NoError, for_code

from services.runtime import kafka
from services.runtime.settings import Settings
from services.runtime.stored import Connection, Pool

_MARK = "deployment="
_TOLD = (NoError.errno, GroupIdNotFound.errno)


class ForeignGroup(Exception):
    """A consumer group belongs to another database; the message says what to do."""


async def identity(connection: Connection | Pool) -> str:
    """This database's own, made with its tables."""
    return str(await connection.fetchval("select id from deployment"))


def mark(identity: str) -> str:
    """What is committed beside an offset."""
    return _MARK + identity


def client_id(service: str, identity: str) -> str:
    """By which a member of a group is known."""
    return f"offramp-{service}-{identity}"


async def check(settings: Settings, service: str, identity: str, groups: Sequence[str]) -> None:
    """Raises ForeignGroup where another deployment has committed offsets, or is a member and was not preceded by this one; KafkaError
    where that can't be told now.

    Offsets without a mark, and members without a name of ours, are of an older version or of somebody's tool.
    """
    async with kafka.admin(settings) as admin:
        for group in groups:
            names = await _members(admin, group)  # first: while a broker loads the group, it says so here, and elsewhere shows no offsets
            offsets = await admin.list_consumer_group_offsets(group)
            committed = {each.metadata.removeprefix(_MARK) for each in offsets.values() if each.metadata.startswith(_MARK)}
            foreign = committed - {identity}
            if not committed:
                prefix = client_id(service, "")
                foreign = {name.removeprefix(prefix) for name in names if name.startswith(prefix)} - {identity}
            if foreign:
                raise ForeignGroup(
                    f"the consumer group {group} belongs to another database (deployment {min(foreign)}; this one is {identity}): "
                    "give this one a Kafka of its own; or, if it takes the other one's place, stop that and delete its consumer groups"
                )


async def _members(admin: AIOKafkaAdminClient, group: str) -> set[str]:
    """The names of a group's members. Raises KafkaError where the broker can't tell (yet): aiokafka leaves that in its answer."""
    (answer,) = await admin.describe_consumer_groups([group])
    (found,) = answer.to_object()["groups"]
    if found["error_code"] not in _TOLD:
        raise for_code(found["error_code"])(f"about the consumer group {group}")
    return {member["client_id"] for member in found["members"]}
