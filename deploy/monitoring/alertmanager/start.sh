#!/bin/sh
# Starts Alertmanager with what .env says about whom to tell. It knows no variables itself, so its configuration is written here.
#   ALERT_EMAIL_TO, ALERT_EMAIL_FROM, ALERT_SMTP_HOST (host:port), ALERT_SMTP_USER, ALERT_SMTP_PASSWORD, ALERT_SMTP_TLS (true)
#   ALERT_WEBHOOK_URL   receives https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
# Usage: start.sh FILE [COMMAND ...]   writes FILE, then runs the command
set -eu
file=$1
shift
umask 077

quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"; }

if [ -n "${ALERT_EMAIL_TO:-}" ] && { [ -z "${ALERT_SMTP_HOST:-}" ] || [ -z "${ALERT_EMAIL_FROM:-}" ]; }; then
    echo "ALERT_EMAIL_TO needs ALERT_SMTP_HOST (mail.example.go.id:587) and ALERT_EMAIL_FROM." >&2
    exit 1
fi

{
    cat <<'CONFIGURATION'
route:
  receiver: operators
  group_by: [alertname]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 12h
  routes:
    - {matchers: ['severity="critical"'], receiver: operators, group_wait: 10s, repeat_interval: 1h}
    - {matchers: ['severity="info"'], receiver: operators, group_wait: 5m, repeat_interval: 3d}
inhibit_rules: # what follows from the broker's being away is told once
  - source_matchers: ['alertname="BrokerDown"']
    target_matchers: ['alertname=~"PartNotReady|BoardFeedLost|OutboxStuck|RelayFailing|RequestsFailing|CallsFailing|ConsumerBehind"']
  - source_matchers: ['alertname="PartMissing"']
    target_matchers: ['alertname="PartDown"']
    equal: [part]
receivers:
  - name: operators
CONFIGURATION
    if [ -n "${ALERT_EMAIL_TO:-}" ]; then
        echo "    email_configs:"
        echo "      - to: $(quoted "$ALERT_EMAIL_TO")"
        echo "        from: $(quoted "$ALERT_EMAIL_FROM")"
        echo "        smarthost: $(quoted "$ALERT_SMTP_HOST")"
        echo "        require_tls: ${ALERT_SMTP_TLS:-true}"
        if [ -n "${ALERT_SMTP_USER:-}" ]; then
            echo "        auth_username: $(quoted "$ALERT_SMTP_USER")"
            echo "        auth_password: $(quoted "${ALERT_SMTP_PASSWORD:-}")"
        fi
        cat <<'LETTER'
        send_resolved: true
        headers:
          Subject: '[MPP] {{ .Status }}: {{ .CommonLabels.alertname }}{{ with .CommonLabels.severity }} ({{ . }}){{ end }}'
        html: ''
        text: |
          {{ range .Alerts }}{{ .Status }}: {{ .Labels.alertname }} ({{ .Labels.severity }})
          {{ .Annotations.summary }}
          since {{ .StartsAt.Format "2006-01-02 15:04:05 MST" }}
          what to do: {{ .Annotations.runbook_url }}

          {{ end }}
LETTER
    fi
    if [ -n "${ALERT_WEBHOOK_URL:-}" ]; then
        echo "    webhook_configs:"
        echo "      - url: $(quoted "$ALERT_WEBHOOK_URL")"
        echo "        send_resolved: true"
    fi
} > "$file"

if [ -z "${ALERT_EMAIL_TO:-}${ALERT_WEBHOOK_URL:-}" ]; then
    echo "Alerts reach nobody: set ALERT_EMAIL_TO or ALERT_WEBHOOK_URL." >&2
fi
[ $# -eq 0 ] || exec "$@"
