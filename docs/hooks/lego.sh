#!/bin/sh
# For lego: lego ... renew --renew-hook /etc/pinscher/hooks/lego.sh  (version 5: lego run --deploy-hook ...)
# lego gives LEGO_CERT_PATH, the certificate with its chain, and LEGO_CERT_KEY_PATH; version 5 says LEGO_HOOK_ before them.
set -eu
exec "$(dirname "$0")/gate-then-serve.sh" "${LEGO_HOOK_CERT_PATH:-$LEGO_CERT_PATH}" "${LEGO_HOOK_CERT_KEY_PATH:-$LEGO_CERT_KEY_PATH}"
