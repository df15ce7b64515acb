#!/bin/sh
# Puts a new certificate where the server reads it, if no deployed client would refuse it; otherwise nothing changes.
#
# Usage: gate-then-serve.sh CERTIFICATE KEY [CHAIN]
# CERTIFICATE is PEM, alone or with its chain after it; CHAIN is what goes between it and the root.
#
# Settings, from the environment or from the file that PINSCHER_HOOK_CONF names (/etc/pinscher/hook.conf):
#   PINSCHER_DEPLOYMENTS  the inventory of released versions, deployments.toml
#   PINSCHER_SERVED       the folder that the server reads: fullchain.pem and privkey.pem
#   PINSCHER_RELOAD       the command that makes the server read them again; nothing by default
#   PINSCHER_CA_FILE      roots that clients trust, in place of this machine's
#
# Exit 0: served. Any other: not served, and the server goes on with the certificate that it has.
set -eu

configuration=${PINSCHER_HOOK_CONF:-/etc/pinscher/hook.conf}
if [ -r "$configuration" ]; then
  # shellcheck disable=SC1090
  . "$configuration"
fi
: "${PINSCHER_DEPLOYMENTS:?expected the path of deployments.toml}"
: "${PINSCHER_SERVED:?expected the folder that the server reads}"
certificate=$1 key=$2 chain=${3:-}

set -- --new-cert "$certificate" --deployments "$PINSCHER_DEPLOYMENTS"
if [ -n "$chain" ]; then set -- "$@" --chain "$chain"; fi
if [ -n "${PINSCHER_CA_FILE:-}" ]; then set -- "$@" --ca-file "$PINSCHER_CA_FILE"; fi
# 1 is a refusal, 2 is no answer: neither is a reason to serve.
pinscher gate "$@" || {
  code=$?
  echo "gate-then-serve: $certificate is not served" >&2
  exit "$code"
}

umask 077
next=$(mktemp -d "$PINSCHER_SERVED/.next.XXXXXX")
trap 'rm -rf "$next"' EXIT
cat "$certificate" ${chain:+"$chain"} > "$next/fullchain.pem"
cat "$key" > "$next/privkey.pem"
chmod 644 "$next/fullchain.pem"
mv -f "$next/privkey.pem" "$PINSCHER_SERVED/privkey.pem"
mv -f "$next/fullchain.pem" "$PINSCHER_SERVED/fullchain.pem"
if [ -n "${PINSCHER_RELOAD:-}" ]; then sh -c "$PINSCHER_RELOAD"; fi
