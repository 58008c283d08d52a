"""`make bench`: what Offramp does in a second, beside yardsticks that do the same work on the same machine in the same run."""
