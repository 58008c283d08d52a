"""The stack without Docker: real PostgreSQL, real Apache Kafka and a mailbox, all from packages."""
