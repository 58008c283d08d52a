"""`subscription.activity.v1`: whether the service is used at all."""

from pydantic import Field

from offramp_schemas.base import Event, Moment


class InactivityDetected(Event):
    """Nobody has used the account for a while."""

    last_seen_at: Moment
    inactive_days: int = Field(ge=1, le=36_500)


class ActivityResumed(Event):
    """Somebody uses it again."""

    last_seen_at: Moment
