"""The `offramp` command line: publishes events, and shows what became of them. Reads every service's tables, writes none."""
