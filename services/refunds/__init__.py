"""Money back: from the request to the day the bank has shown it for good. None can stall quietly."""
