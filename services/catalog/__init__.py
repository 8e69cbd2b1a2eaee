"""Catalogue: what a regency offers, where and when, and who works there.

Owner of regencies, sites, agencies, public services, counters, hours, staff accounts and devices. The other services
keep copies, fed by this service's events, and go on working while it is down.
"""
