"""What an access token looks like: a JSON Web Token (RFC 7519, RFC 9068) that any system may verify with our public keys.

Claims besides the registered ones: ``role``; ``regency`` (null for operators); ``agencies`` and ``counters`` (null for all); ``site`` to
which a device is bound (or null); ``sid``, the session; ``ver``, the version of the account that it speaks of; ``hold``, until when
(Unix time) it goes on being good where its renewal cannot be asked for, because the catalogue is away.
"""

from typing import Final

ISSUER: Final = "mpp"
AUDIENCE: Final = "mpp-api"
ALGORITHM: Final = "EdDSA"

REQUIRED: Final = ("iss", "aud", "sub", "role", "iat", "exp", "jti", "sid", "ver", "hold")
"""Claims that are never null; ``regency``, ``agencies``, ``counters`` and ``site`` must be present too, and may be null."""
