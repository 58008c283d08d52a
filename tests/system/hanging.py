"""lifecycle with a bug: the rule of a cancellation never comes back."""

from dataclasses import replace

from offramp_schemas.request import CancellationRequested
from services.lifecycle.decide import Lifecycle
from services.lifecycle.service import build
from services.lifecycle.states import Subscription
from services.runtime.app import run
from services.runtime.decision import Input, Outcome, When
from services.runtime.service import Service
from services.runtime.settings import Settings
from services.runtime.stored import Connection


class Hanging(Lifecycle):
    """Otherwise as it should be."""

    def decide(self, entity_id: str, state: Subscription | None, event: Input, when: When) -> Outcome[Subscription]:
        """For ever, where somebody cancels."""
        while isinstance(event, CancellationRequested):
            pass
        return super().decide(entity_id, state, event, when)


async def _build(settings: Settings, connection: Connection) -> Service[Subscription]:
    sound = await build(settings, connection)
    assert isinstance(sound.decider, Lifecycle)
    return replace(sound, decider=Hanging(sound.decider.policies))


if __name__ == "__main__":
    run("lifecycle", _build)
