"""Who pays the money back. `port` says what is asked of a provider; each provider has a module that speaks its language."""
