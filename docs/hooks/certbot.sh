#!/bin/sh
# For certbot: certbot renew --deploy-hook /etc/pinscher/hooks/certbot.sh
# certbot gives RENEWED_LINEAGE, the folder of the new certificate.
set -eu
exec "$(dirname "$0")/gate-then-serve.sh" "$RENEWED_LINEAGE/cert.pem" "$RENEWED_LINEAGE/privkey.pem" "$RENEWED_LINEAGE/chain.pem"
