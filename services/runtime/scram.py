"""What Postgres keeps of a password (RFC 5802 and 7677). Given this instead of the password, no log of its statements can show one."""

import hashlib
import hmac
import os
from base64 import b64encode

_ITERATIONS = 4096  # as Postgres does


def verifier(password: str) -> str:
    """For `alter role … password`. The password is ASCII: any other would have to be normalised, as clients do."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    parts = (b64encode(each).decode() for each in (salt, stored, _keyed(salted, b"Server Key")))
    return "SCRAM-SHA-256${}:{}${}:{}".format(_ITERATIONS, *parts)


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")
