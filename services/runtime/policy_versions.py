"""Policy versions in Postgres: a changed file becomes a new version; what an older one started keeps it."""

import json
from pathlib import Path
from typing import TypeVar

from services.runtime import policies, sql
from services.runtime.policies import Policies, PolicyError, Section
from services.runtime.policy_values import STORED
from services.runtime.stored import Connection

Policy = TypeVar("Policy", bound=Section)
QUERIES = sql.load(Path(__file__).with_name("queries.sql"))


async def remember(connection: Connection, file: Path, section: str, model: type[Policy]) -> Policies[Policy]:
    """Reads the file and gives every version this service has used. Raises PolicyError."""
    policy, sha256 = policies.read(file, section, model)
    await connection.execute(QUERIES["add_policy"], sha256, policy.model_dump_json())
    rows = await connection.fetch(QUERIES["policy_versions"])
    try:
        by_version = {row["version"]: model.model_validate(json.loads(row["body"]), context=STORED) for row in rows}
    except ValueError as error:
        raise PolicyError(f"a policy stored by another version of Offramp can't be read: {error}") from None
    version = next(row["version"] for row in rows if row["sha256"] == sha256)
    return Policies(version, by_version, sha256)
