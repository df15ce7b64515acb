#!/bin/sh
# For acme.sh: acme.sh --issue -d HOST ... --renew-hook /etc/pinscher/hooks/acme-sh.sh
# acme.sh gives CERT_FULLCHAIN_PATH, the certificate with its chain, and CERT_KEY_PATH.
set -eu
exec "$(dirname "$0")/gate-then-serve.sh" "$CERT_FULLCHAIN_PATH" "$CERT_KEY_PATH"
