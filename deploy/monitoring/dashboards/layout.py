"""Dashboards as the JSON that Grafana reads."""

from __future__ import annotations

import json
from typing import Any

from deploy.monitoring.dashboards.model import Dashboard, Panel

DATASOURCE = {"type": "prometheus", "uid": "mpp-prometheus"}
COLUMNS = 24
HEIGHT = 8

Json = dict[str, Any]


def document(dashboard: Dashboard) -> Json:
    """Return a dashboard as Grafana reads it."""
    panels: list[Json] = []
    top = 0
    for title, members in dashboard.rows:
        panels.append({"type": "row", "title": title, "collapsed": False, "gridPos": _place(0, top, COLUMNS, 1), "panels": []})
        top, left = top + 1, 0
        for member in members:
            if left + member.width > COLUMNS:
                top, left = top + HEIGHT, 0
            panels.append(_panel(member, _place(left, top, member.width, HEIGHT)))
            left += member.width
        top += HEIGHT
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["mpp"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_variable(*dashboard.variable)] if dashboard.variable else []},
        "links": [{"type": "dashboards", "title": "MPP", "tags": ["mpp"], "asDropdown": False, "keepTime": True}],
        "panels": [{"id": number, **each} for number, each in enumerate(panels, 1)],
    }


def encoded(dashboard: Dashboard) -> str:
    """Return the text of a dashboard's file."""
    return json.dumps(document(dashboard), indent=1, ensure_ascii=False) + "\n"


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, place: dict[str, int]) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    defaults: Json = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    options: Json = {"reduceOptions": {"calcs": ["lastNotNull"]}}
    if panel.kind == "timeseries":
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never"}
        if panel.limit is not None:
            defaults["custom"]["thresholdsStyle"] = {"mode": "line"}
        options = {"legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"]}, "tooltip": {"mode": "multi"}}
    elif panel.kind == "bargauge":
        options["orientation"] = "horizontal"
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [_target(number, *curve) for number, curve in enumerate(panel.curves)],
    }


def _target(number: int, expression: str, legend: str) -> Json:
    return {"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": expression, "legendFormat": legend}


def _variable(name: str, query: str) -> Json:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": "values"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
    }
