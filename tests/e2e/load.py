"""A few hundred events whose effects are known beforehand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from tests.e2e.customers import Customer
from tests.e2e.world import World, about


@dataclass
class Load:
    """Customers whose charges fail and are paid, round after round. What one customer does stays in order; what several do is mixed."""

    world: World
    customers: tuple[Customer, ...]
    now: datetime
    rounds: int = 0

    @classmethod
    async def of(cls, world: World, customers: int) -> Load:
        """With customers of its own."""
        load = cls(world, tuple(Customer.new("Load") for _ in range(customers)), await world.now())
        await world.begin(*load.customers)
        return load

    @property
    def events(self) -> int:
        """How many there were up to now."""
        return 2 * self.rounds * len(self.customers)

    async def publish(self, rounds: int = 1) -> None:
        """So many rounds, acknowledged."""
        sent = []
        for _ in range(rounds):
            self.rounds += 1
            for happen in (Customer.fails_to_pay, Customer.pays):
                sent += [await self.world.send(each, happen(each, 1 + self.rounds), self.now) for each in self.customers]
        await asyncio.gather(*sent)

    async def told(self) -> dict[str, list[str]]:
        """What has been told about each of them."""
        records = await self.world.records("lifecycle.events.v1")
        return {each.key: [event.kebab() for event in about(each, records)] for each in self.customers}

    async def wrong(self) -> list[str]:
        """Whose story is not what it has to be: every failure and every payment was told, once and in order."""
        wanted = ["payment-past-due", "payment-recovered"] * self.rounds
        return [f"{key}: {names}" for key, names in (await self.told()).items() if names != wanted]
