"""The OpenAPI 3.1 document, written from the same route table that serves."""

from gateway.openapi.document import openapi_document

__all__ = ["openapi_document"]
