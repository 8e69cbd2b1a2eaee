"""Routes of the audit log: who did what, for auditors and administrators."""

from __future__ import annotations

from gateway import audit
from gateway.route import Route, Rpc, Text
from services.contracts.audit import AuditPage, ExportAudit, ListAudit

AUDIT = "/v1/{regency}/audit"

_FILTERS = {"from": "since", "to": "until", **{name: name for name in ("actor", "action", "kind", "subject", "outcome", "service")}}
_EXPORTED = {**_FILTERS, "after": "after"}

AUDIT_ROUTES = (
    Route(
        method="GET",
        path=AUDIT,
        operation_id="listAudit",
        summary=Text("Tindakan petugas dan perangkat, yang terbaru lebih dahulu", "What staff and devices did, the newest first"),
        tag="audit",
        operation=audit.read,
        rpc=Rpc("platform", "list_audit", ListAudit),
        query={**_FILTERS, "limit": "limit", "cursor": "cursor"},
        answer=AuditPage,
        digested=True,
    ),
    Route(
        method="GET",
        path=AUDIT + "/csv",
        operation_id="exportAuditCsv",
        summary=Text("Log audit sebagai berkas CSV, untuk lembar kerja", "The audit log as a CSV file, for spreadsheets"),
        tag="audit",
        operation=audit.export_csv,
        rpc=Rpc("platform", "export_audit", ExportAudit),
        query=_EXPORTED,
        media_type=audit.CSV,
    ),
    Route(
        method="GET",
        path=AUDIT + "/ndjson",
        operation_id="exportAuditNdjson",
        summary=Text(
            "Log audit beserta rantai hash-nya, satu objek JSON per baris, untuk diperiksa di tempat lain",
            "The audit log with its chain of hashes, one JSON object a line, to be checked elsewhere",
        ),
        tag="audit",
        operation=audit.export_ndjson,
        rpc=Rpc("platform", "export_audit", ExportAudit),
        query=_EXPORTED,
        media_type=audit.NDJSON,
    ),
)
