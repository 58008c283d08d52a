"""What was measured on, in words that tell others enough to compare."""

import importlib.metadata
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil


def described() -> str:
    """One sentence, without names or places."""
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("aiokafka", "asyncpg", "pydantic", "msgspec"))
    return (
        f"{psutil.cpu_count()} cores of {_processor()}, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, {packages}; {datetime.now(UTC):%Y-%m-%d}"
    )


def load_average() -> str:
    """How busy it was besides."""
    return f"{psutil.getloadavg()[0]:.1f}"


def _processor() -> str:
    for file in (Path("/proc/cpuinfo"),):
        if file.exists():
            for line in file.read_text().splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.machine()
