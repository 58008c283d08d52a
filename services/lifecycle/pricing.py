"""Another price: announced by billing, or seen in a picture before it is charged."""

from offramp_schemas.account import SubscriptionFacts
from services.lifecycle.facts import Facts, PriceChange


def announced(event: SubscriptionFacts) -> PriceChange | None:
    """What billing says is to come."""
    change = event.price_change
    if change is None or (change.price_minor, change.currency) == (event.price_minor, event.currency):
        return None
    return PriceChange(change.price_minor, change.currency, change.effective_at, event.price_minor)


def change(known: Facts, picture: Facts) -> PriceChange | None:
    """The announced one. Without that, a higher price for the same plan in the same period is one that the next renewal brings."""
    if picture.price_change:
        return picture.price_change
    seen = known.price_change
    if seen and (seen.price_minor, seen.effective_at) == (picture.price_minor, picture.period_end):
        return seen
    same = all(getattr(known, each) == getattr(picture, each) for each in ("plan", "currency", "interval", "period_end"))
    if same and picture.period_end and picture.price_minor > known.price_minor > 0:
        return PriceChange(picture.price_minor, picture.currency, picture.period_end, known.price_minor)
    return None
