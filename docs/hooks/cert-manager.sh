#!/bin/sh
# For cert-manager: an init container of the pods that serve, with pinscher in its image.
# The secret is mounted at TLS_SECRET (/tls by default), and PINSCHER_SERVED is an emptyDir that the server reads. A pod
# with a certificate that clients refuse does not start, so the rollout stops, and the pods that run go on.
set -eu
secret=${TLS_SECRET:-/tls}
exec "$(dirname "$0")/gate-then-serve.sh" "$secret/tls.crt" "$secret/tls.key"
