"""`refund.provider.v1`: a payment provider's webhook, reduced to a hint where to look."""

from pydantic import Field

from offramp_schemas.base import Event, Id, Moment


class ProviderRefundUpdated(Event):
    """Something happened to a refund at the provider. Nothing here is believed: the refund is read again, there.

    The envelope's `id` is the provider's event, so that a webhook that comes twice is one event.
    """

    provider_refund_id: Id
    provider_payment_id: Id | None = Field(default=None, description="the provider's name for the charge")
    refund_id: Id | None = Field(default=None, description="ours, from the metadata; none: it may be a refund that we did not make")
    idempotency_key: Id | None = Field(default=None, description="of the attempt, where the provider repeats it")
    provider_event_id: Id = Field(description="the provider's name for the webhook's event")
    provider_event_at: Moment | None = Field(default=None, description="by the provider's clock")
