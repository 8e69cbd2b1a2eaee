"""Notification: tells citizens and other systems what happened."""
