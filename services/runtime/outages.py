"""What this process waits out just now: Kafka or Postgres does not do what it is asked, and the work is tried again until it does."""

from services.runtime import telemetry


class Outages:
    """By who waits. One is over when its work was done."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._met: dict[str, str] = {}

    def met(self, loop: str, what: str, error: BaseException) -> None:
        """`what` of a loop failed, and is tried again."""
        telemetry.RETRIES.labels(self._service, loop).inc()
        self._met[what] = type(error).__name__

    def over(self, what: str) -> None:
        """It worked, or is no longer ours to do."""
        self._met.pop(what, None)

    def __str__(self) -> str:
        return ", ".join(f"{what}: {error}" for what, error in sorted(self._met.items()))
