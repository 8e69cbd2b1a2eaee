"""``python -m deploy.monitoring.dashboards`` is ``make dashboards``."""

from deploy.monitoring.dashboards import write

write()
