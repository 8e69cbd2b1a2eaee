"""The ways to the outside. Each channel claims what is due for it, delivers it, and writes down how that ended."""

from services.notification.channels.channel import Attempt, Channel, Parcel
from services.notification.channels.mail import MailChannel
from services.notification.channels.webhook import WebhookChannel

__all__ = ["Attempt", "Channel", "MailChannel", "Parcel", "WebhookChannel"]
