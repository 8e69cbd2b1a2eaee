#!/bin/sh
# Writes .env, which docker-compose.yml reads, from .env.example: every secret new and of its own.
#
#   sh deploy/new-env.sh antrean.example.go.id
#
# The name is the one under which citizens come; without it, localhost. Where .env exists no value in it is changed:
# what a newer .env.example has and .env has not, or left empty, is added. Needs a shell and /dev/urandom, nothing else.
set -eu
cd "$(dirname "$0")/.."
umask 077
name="${1-}"

case "$name" in
*[!A-Za-z0-9.-]* | -* | .*) echo "$0: '$name' is no name of a host, such as antrean.example.go.id" >&2; exit 2 ;;
esac
if [ -e .env ] && [ -n "$name" ]; then
	echo "$0: .env exists. Change MPP_SITE_ADDRESS in it, or run this without a name to add what it lacks." >&2
	exit 1
fi

secret() { # 256 random bits as 64 hex digits: they need no quotes in .env, URLs and YAML
	od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

new=".env.new.$$"
trap 'rm -f "$new" "$new.filled"' EXIT
trap 'exit 1' HUP INT TERM
if [ -e .env ]; then cp .env "$new"; else : >"$new"; fi
[ -z "$(tail -c 1 "$new")" ] || echo >>"$new"

added=
comments=
while IFS= read -r line || [ -n "$line" ]; do
	case "$line" in
	[A-Z]*=*) ;;
	*) comments="$comments$line
"; continue ;;
	esac
	variable="${line%%=*}"
	value="${line#*=}"
	case "$variable" in
	MPP_SITE_ADDRESS) value="${name:-$value}" missing="" ;;
	ALERT_*) missing="" ;; # others' secrets
	*_PASSWORD | *_SECRET | *_KEYS)
		value="$(secret)" missing="^$variable=$" # empty in a copy of the example
		[ "${#value}" -eq 64 ] || { echo "$0: no random numbers from /dev/urandom" >&2; exit 1; } ;;
	*) missing="" ;;
	esac
	if ! grep -q "^$variable=" "$new"; then
		printf '%s%s=%s\n' "$comments" "$variable" "$value" >>"$new"
		added="$added $variable"
	elif [ -n "$missing" ] && grep -q "$missing" "$new"; then
		sed "s/$missing/$variable=$value/" "$new" >"$new.filled" && mv "$new.filled" "$new"
		added="$added $variable"
	fi
	comments=
done <.env.example

if [ -z "$added" ]; then
	echo ".env lacks nothing."
	exit
fi
mv "$new" .env
echo "Written to .env:$added"
echo "Keep a copy of .env where no backup of the platform lies: with both, everything can be read; without it, nothing encrypted."
