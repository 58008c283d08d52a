"""Four ways in which a subscription ends or nearly does, played over two months on the test clock, in about a minute."""
