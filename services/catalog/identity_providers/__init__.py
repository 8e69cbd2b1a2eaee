"""Signing in with an identity provider (OpenID Connect Core 1.0, code flow with PKCE; RFC 9700): configuration, exchange, tokens."""
