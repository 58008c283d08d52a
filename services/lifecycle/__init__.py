"""How a subscription ends: cancellations, failed payments, inactivity, and what follows the end. Start reading at `decide.py`."""
