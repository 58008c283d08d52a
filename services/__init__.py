"""The services, and the shell they run in."""
