"""Business days of one country. Pure: the public holidays are computed, not fetched."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days people work in `country` (ISO 3166, two letters), as the clocks of `time_zone` (IANA) count them."""

    country: str
    time_zone: str

    def works(self, day: date) -> bool:
        """Neither weekend nor public holiday."""
        return day.weekday() < _SATURDAY and day not in _holidays(self.country, day.year)

    def day(self, moment: datetime) -> date:
        """The day it is there."""
        return moment.astimezone(ZoneInfo(self.time_zone)).date()

    def after(self, moment: datetime, days: int) -> datetime:
        """So many business days after `moment`, at its local hour. A free day counts as the start of the next working one."""
        zone = ZoneInfo(self.time_zone)
        local = moment.astimezone(zone)
        day, hour = local.date(), local.time()
        if not self.works(day):
            hour = time(0)
            day = self._next(day)
        for _ in range(days):
            day = self._next(day)
        return datetime.combine(day, hour, zone).astimezone(UTC)

    def _next(self, day: date) -> date:
        day += DAY
        while not self.works(day):
            day += DAY
        return day


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))
