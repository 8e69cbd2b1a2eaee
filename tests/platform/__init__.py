"""The whole platform under test: deployed as processes over RabbitMQ or embedded, its clients, and a checker of its books."""
