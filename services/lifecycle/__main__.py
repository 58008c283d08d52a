"""`python -m services.lifecycle` runs one process of the service; any number may run side by side."""

from services.lifecycle.service import build
from services.runtime.app import run

if __name__ == "__main__":
    run("lifecycle", build)
