"""Dashboards as the JSON that Grafana reads."""

from __future__ import annotations

import json
from typing import Any

from deploy.monitoring.dashboards.model import Dashboard, Panel, Variable

DATASOURCE = {"type": "prometheus", "uid": "mpp-prometheus"}
COLUMNS = 24

COUNTS = "short"
"""The unit of what can be counted: it is shown without decimals, though Prometheus extrapolates."""

SOFT_TOPS = {COUNTS: 5, "percentunit": 0.05}
"""How high an axis reaches at least: where all is 0, ticks between 0 and 1 would all read 0."""

Json = dict[str, Any]


def document(dashboard: Dashboard) -> Json:
    """Return a dashboard as Grafana reads it."""
    panels: list[Json] = []
    top = 0
    for title, members in dashboard.rows:
        panels.append({"type": "row", "title": title, "collapsed": False, "gridPos": _place(0, top, COLUMNS, 1), "panels": []})
        top, left, height = top + 1, 0, 0
        for member in members:
            if left + member.width > COLUMNS:
                top, left, height = top + height, 0, 0
            panels.append(_panel(member, _place(left, top, member.width, member.height)))
            left, height = left + member.width, max(height, member.height)
        top += height
    return {
        **envelope(dashboard.uid, dashboard.title, "mpp"),
        "refresh": "30s",
        "time": {"from": dashboard.since, "to": "now"},
        "templating": {"list": [_variable(each) for each in dashboard.variables]},
        "links": [{"type": "dashboards", "title": "MPP", "tags": ["mpp"], "asDropdown": False, "keepTime": True}],
        "panels": [{"id": number, **each} for number, each in enumerate(panels, 1)],
    }


def envelope(uid: str, title: str, tag: str) -> Json:
    """Return what all dashboards have in common."""
    return {
        "uid": uid,
        "title": title,
        "tags": [tag],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "timezone": "browser",
    }


def encoded(dashboard: Dashboard) -> str:
    """Return the text of a dashboard's file."""
    return written(document(dashboard))


def written(content: Json) -> str:
    """Return a document as it stands in its file."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, place: dict[str, int]) -> Json:
    targets = [_target(number, *curve) for number, curve in enumerate(panel.curves)]
    shown: Json = {
        "type": "timeseries" if panel.kind == "stacked" else panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": targets,
    }
    if panel.kind == "table":
        for target in targets:
            target |= {"format": "table", "instant": True, "range": False}
        shown["fieldConfig"]["overrides"] = _columns(panel)
        shown["transformations"] = [{"id": "merge", "options": {}}, {"id": "organize", "options": _organized(panel)}]
    elif panel.kind in ("stat", "bargauge"):
        for target in targets:
            target |= {"instant": True, "range": False}
    return shown


def _defaults(panel: Panel) -> Json:
    steps: list[Json] = [{"color": "text" if panel.limit is None else "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    defaults: Json = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.unit == COUNTS:
        defaults["decimals"] = 0
    if panel.empty is not None:
        defaults["noValue"] = panel.empty
    if panel.kind in ("timeseries", "stacked"):
        defaults["custom"] = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never"}
        if panel.unit in SOFT_TOPS:
            defaults["custom"]["axisSoftMax"] = SOFT_TOPS[panel.unit]
        if panel.kind == "stacked":
            defaults["custom"] |= {"fillOpacity": 60, "stacking": {"mode": "normal", "group": "A"}}
        if panel.limit is not None:
            defaults["custom"]["thresholdsStyle"] = {"mode": "dashed"}
    return defaults


def _options(panel: Panel) -> Json:
    if panel.kind in ("timeseries", "stacked"):
        # Beneath, where a long name of a route or a queue does not take the picture's place.
        legend = {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    shown: Json = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    if panel.kind == "bargauge":
        return {**shown, "orientation": "horizontal", "displayMode": "basic", "showUnfilled": True}
    # Without a limit green would praise what nobody has judged; with names each figure says whose it is.
    named = any("{{" in legend for _, legend in panel.curves) or len(panel.curves) > 1
    return {**shown, "colorMode": "value", "graphMode": "none", "textMode": "value_and_name" if named else "value"}


def _columns(panel: Panel) -> list[Json]:
    found = [_override(name, "unit", unit) for name, unit in panel.units]
    if panel.link is not None:
        column, address = panel.link
        found.append(_override(column, "links", [{"title": "Open", "url": address}]))
    return found


def _override(column: str, name: str, value: Any) -> Json:
    return {"matcher": {"id": "byName", "options": column}, "properties": [{"id": name, "value": value}]}


def _organized(panel: Panel) -> Json:
    """Name the columns; the time of an instant query says nothing."""
    if len(panel.curves) == 1:
        return {"excludeByName": {"Time": True, "Value": True}, "indexByName": {}, "renameByName": {}}
    names = {f"Value #{chr(ord('A') + number)}": name for number, (_, name) in enumerate(panel.curves)}
    return {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": names}


def _target(number: int, expression: str, legend: str) -> Json:
    return {"refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": expression, "legendFormat": legend}


def _variable(variable: Variable) -> Json:
    """Return a choice. Whoever may choose all begins with all; else with the first of the list."""
    chosen: Json = {"text": "All", "value": "$__all"} if variable.several else {}
    return {
        "name": variable.name,
        "label": variable.name.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": variable.query, "refId": "values"},
        "refresh": 2,
        "sort": 1,
        "multi": variable.several,
        "includeAll": variable.several,
        **({"allValue": ".+"} if variable.several else {}),
        "current": chosen,
    }
