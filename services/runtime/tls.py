"""TLS to Kafka and Postgres: whose certificates are believed, and what to do about one that is not."""

import ssl
from pathlib import Path

_NOT_FOR_THIS_HOST = {62, 64}  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
_EXPIRED = 10


def context(ca: Path | None) -> ssl.SSLContext:
    """Believes what `ca` has signed (the system's authorities where there is none), and only for the host that was asked for."""
    return ssl.create_default_context(cafile=ca)


def explain(server: str, error: ssl.SSLError) -> str:
    """What an operator should do; `server` is Kafka or Postgres."""
    setting = f"OFFRAMP_{server.upper()}"
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"{server} does not speak TLS there: give the port that does in {setting}, or set {setting}_TLS=off"
    if error.verify_code in _NOT_FOR_THIS_HOST:
        return f"{server}'s certificate is not for the host in {setting}: use a name that is in it, or have that one certified"
    if error.verify_code == _EXPIRED:
        return f"{server}'s certificate has expired: renew it"
    return f"{server}'s certificate is not signed by {setting}_CA ({error.verify_message}): give the certificate of its authority there"
