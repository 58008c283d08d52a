"""A payment provider to play with: it behaves as Stripe's refunds do, and misbehaves when told to."""

from dev.sandbox.server import Sandbox

__all__ = ["Sandbox"]
