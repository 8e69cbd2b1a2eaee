"""Private servers: a PostgreSQL and a RabbitMQ of our own, for running and testing on one machine.

Each server is a child process on free loopback ports with its data in one folder. Nothing of the machine is changed, several
checkouts can run at once, and root is not needed (see deploy/decisions/0002-private-servers.md).
"""
