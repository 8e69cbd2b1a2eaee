#!/bin/sh
# Writes what each process of a platform without containers reads, from .env (deploy/new-env.sh): a file per process in /etc/mpp,
# whom Prometheus watches (deploy/monitoring/targets), and where the proxy finds gateways.
#
#   sh deploy/native-env.sh ticketing=2 gateway=2
#
# A part that is not named keeps its number, at first one; up to nine of each. Run it again for other numbers, and after .env has
# changed: files are written anew, those of processes that are no longer wanted removed. It starts and stops nothing, and says what
# to do next.
# What a file should hold besides stands in /etc/mpp/PART.extra, which is never changed. CONFIGURATION=folder: instead of /etc/mpp.
set -eu
cd "$(dirname "$0")/.."
umask 077
folder="${CONFIGURATION:-/etc/mpp}"
targets=deploy/monitoring/targets

[ -r .env ] || { echo "$0: no .env here. First: sh deploy/new-env.sh antrean.example.go.id" >&2; exit 1; }
value() { # of a variable in .env; a secret without a value is none
	found="$(sed -n "s/^$1=//p" .env | tail -n 1)"
	[ -n "$found" ] || { echo "$0: $1 has no value in .env. Run: sh deploy/new-env.sh" >&2; exit 1; }
	printf '%s' "$found"
}

there() { # files of a part's processes
	for file in "$folder/$1".env "$folder/$1"-[2-9].env; do [ ! -e "$file" ] || echo "$file"; done
}
before=
for part in catalog ticketing notification reporting gateway; do
	before="$before $(there "$part" | sed 's|.*/\(.*\).env|mpp@\1|' | tr '\n' ' ')"
	number="$(there "$part" | wc -l)"
	[ "$number" -gt 0 ] || number=1
	eval "$part=$number"
done
for word in "$@"; do
	case "$word" in
	catalog=[1-9] | ticketing=[1-9] | notification=[1-9] | reporting=[1-9] | gateway=[1-9]) eval "$word" ;;
	*) echo "$0: '$word' is not PART=NUMBER, with catalog, ticketing, notification, reporting or gateway, and 1 to 9" >&2; exit 2 ;;
	esac
done

broker="MPP_BROKER_URL=amqp://mpp:$(value RABBITMQ_PASSWORD)@127.0.0.1:5672/"
token="MPP_TOKEN_SECRET=$(value MPP_TOKEN_SECRET)"
ticket_token="MPP_TICKET_TOKEN_SECRET=$(value MPP_TICKET_TOKEN_SECRET)"
keys="MPP_ENCRYPTION_KEYS=$(value MPP_ENCRYPTION_KEYS)"
person="MPP_PERSON_KEYS=$(value MPP_PERSON_KEYS)"
person_hash="MPP_PERSON_HASH_KEYS=$(value MPP_PERSON_HASH_KEYS)"
site="$(value MPP_SITE_ADDRESS)"
admin="MPP_ADMIN_DATABASE_URL=postgresql://postgres:$(value POSTGRES_PASSWORD)@127.0.0.1:5432/postgres"
database() { # of a service
	upper="$(printf '%s' "$1" | tr a-z A-Z)"
	password="$(value "MPP_${upper}_PASSWORD")" || return 1 # -e does not count in a condition
	printf 'MPP_%s_DATABASE_URL=postgresql://%s:%s@127.0.0.1:5432/%s\n' "$upper" "$1" "$password" "$1"
}
# All of them once, so that a value that is missing is told before anything is written.
databases="$(for service in catalog ticketing notification reporting; do database "$service" || exit 1; done)"

mkdir -p "$folder"
chmod 755 "$folder"
rm -f "$folder"/*.env
watched="$targets/mpp.yml.new"
: >"$watched"
units= upstreams= base=9200
for part in catalog ticketing notification reporting gateway; do
	eval "count=\$$part"
	number=1 ports=
	while [ "$number" -le "$count" ]; do
		name="$part"
		[ "$number" -eq 1 ] || name="$part-$number"
		{
			echo "MPP_PART=$part"
			echo "MPP_PROBE_PORT=$((base + number))"
			echo "$broker"
			case "$part" in
			gateway)
				echo "MPP_HTTP_PORT=$((8000 + number))"
				echo "MPP_TRUSTED_PROXIES=1"
				upstreams="$upstreams 127.0.0.1:$((8000 + number))" ;;
			*) printf '%s\n' "$databases" | grep "/$part$" ;;
			esac
			case "$part" in
			catalog) echo "$token" ;;
			ticketing)
				echo "$ticket_token"
				echo "$person"
				echo "$person_hash" ;;
			notification) echo "$keys" ;;
			esac
			if [ -e "$folder/$part.extra" ]; then cat "$folder/$part.extra"; fi
		} >"$folder/$name.env"
		ports="$ports${ports:+, }\"127.0.0.1:$((base + number))\""
		units="$units mpp@$name"
		number=$((number + 1))
	done
	echo "- {labels: {part: $part}, targets: [$ports]}" >>"$watched"
	base=$((base + 10))
done
{ # of whoever runs `mpp` by hand
	echo "$broker"
	echo "MPP_BROKER_MANAGEMENT_URL=http://127.0.0.1:15672/"
	echo "MPP_BROKER_PUBLIC_URL=$(sed -n 's/^MPP_BROKER_PUBLIC_URL=//p' .env | tail -n 1)"
	echo "$admin"
	printf '%s\n' "$databases"
	echo "$keys"
	echo "$person"
	echo "$person_hash"
	echo "MPP_BACKUP_DIR=/var/backups/mpp"
} >"$folder/admin.env"
{ # of the nightly backup: no administrator's right
	printf '%s\n' "$databases"
	echo "MPP_BACKUP_DIR=/var/backups/mpp"
} >"$folder/backup.env"
{
	echo "MPP_SITE_ADDRESS=$site"
	echo "MPP_PROXY_UPSTREAMS=\"to$upstreams\""
} >"$folder/proxy.env"
# Whom alerts are told, and where their links lead: as they stand in .env, quoted or not.
grep '^MPP_GRAFANA_URL=' .env >"$folder/prometheus.env" || :
grep '^ALERT_' .env >"$folder/alertmanager.env" || :
echo "GF_SECURITY_ADMIN_PASSWORD=$(value GRAFANA_PASSWORD)" >"$folder/grafana.env"
chmod 644 "$watched"
mv "$watched" "$targets/mpp.yml"
echo '[{targets: ["127.0.0.1:15692"]}]' >"$targets/rabbitmq.yml"
echo '[{targets: ["127.0.0.1:9093"]}]' >"$targets/alertmanager.yml"
echo '[{targets: ["127.0.0.1:9100"]}]' >"$targets/node.yml"
case "$site" in
localhost) rm -f "$targets/entrance.yml" ;; # nobody comes from outside
*) echo "[{labels: {__prober__: \"127.0.0.1:9115\"}, targets: [\"$site\"]}]" >"$targets/entrance.yml" ;;
esac
chmod 644 "$targets"/*.yml

echo "Written: one file per process in $folder; Prometheus' targets in $targets."
echo "Next, once and after an upgrade: .venv/bin/mpp migrate, with the variables of $folder/admin.env. Then start, or restart where .env has changed:"
echo "  systemctl enable --now$units"
echo "  systemctl restart caddy"
gone=
for unit in $before; do
	case "$units " in *" $unit "*) ;; *) gone="$gone $unit" ;; esac
done
[ -z "$gone" ] || echo "and stop what is no longer wanted: systemctl disable --now$gone"
