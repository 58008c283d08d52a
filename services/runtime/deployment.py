"""Whose a consumer group is. Two databases on one group would each miss what the other one reads, and neither would notice."""

from collections.abc import Sequence

from services.runtime import kafka
from services.runtime.settings import Settings
from services.runtime.stored import Connection, Pool

_MARK = "deployment="


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
    """Raises ForeignGroup where another deployment has committed offsets, or is a member and was not preceded by this one.

    Offsets without a mark, and members without a name of ours, are of an older version or of somebody's tool.
    """
    async with kafka.admin(settings) as admin:
        for group in groups:
            offsets = await admin.list_consumer_group_offsets(group)
            committed = {each.metadata.removeprefix(_MARK) for each in offsets.values() if each.metadata.startswith(_MARK)}
            foreign = committed - {identity}
            if not committed:
                prefix = client_id(service, "")
                answers = [answer.to_object() for answer in await admin.describe_consumer_groups([group])]
                names = {member["client_id"] for answer in answers for each in answer["groups"] for member in each["members"]}
                foreign = {name.removeprefix(prefix) for name in names if name.startswith(prefix)} - {identity}
            if foreign:
                raise ForeignGroup(
                    f"the consumer group {group} belongs to another database (deployment {min(foreign)}; this one is {identity}): "
                    "give this one a Kafka of its own; or, if it takes the other one's place, stop that and delete its consumer groups"
                )
