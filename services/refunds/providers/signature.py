"""Stripe's signature of a webhook: `t=<Unix seconds>,v1=<HMAC-SHA256 of "t.body", in hex>`, with one `v1` for each secret in force."""

import hashlib
import hmac
import time
from collections.abc import Sequence

HEADER = "Stripe-Signature"
SKEW = 300  # seconds of machine time; what is older, or from the future, may be somebody's replay
_SIGNATURES = 10  # a header may carry so many; nobody rotates more keys at once


def authentic(header: str, body: bytes, secrets: Sequence[bytes], now: float | None = None) -> bool:
    """Whether the raw body was signed lately with one of the secrets. Takes as long for a wrong signature as for a right one."""
    fields = [each.strip().partition("=")[::2] for each in header.split(",")]
    moments = [value for name, value in fields if name == "t"]
    given = [value.encode() for name, value in fields if name == "v1"][:_SIGNATURES]
    if len(moments) != 1 or not (moments[0].isascii() and moments[0].isdigit() and len(moments[0]) <= 12):
        return False
    wanted = [hmac.new(secret, moments[0].encode() + b"." + body, hashlib.sha256).hexdigest().encode() for secret in secrets]
    matches = [hmac.compare_digest(one, other) for one in wanted for other in given]
    return any(matches) and abs((time.time() if now is None else now) - int(moments[0])) <= SKEW
