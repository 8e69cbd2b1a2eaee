"""What the streaming server sends, for itself and for those who check it."""

import hashlib

MESSAGES = 100
LARGEST_BYTES = 300_000
"""Several times what the kernel keeps for a connection."""


def body_of(number: int, size: int) -> bytes:
    """A body that tells whether it has arrived whole."""
    digest = hashlib.sha256(b"%d" % number).hexdigest().encode()
    return digest + b"." * size + digest
