"""`python -m services.notifier` runs one process of the service; any number may run side by side."""

from services.notifier.service import build
from services.runtime.app import run

if __name__ == "__main__":
    run("notifier", build)
