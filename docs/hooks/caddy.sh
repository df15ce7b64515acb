#!/bin/sh
# For Caddy with the plugin events.handlers.exec, in the global options:
#   events {
#     on cert_obtained exec /etc/pinscher/hooks/caddy.sh {event.data.certificate_path} {event.data.private_key_path}
#   }
# Both paths are below Caddy's storage: CADDY_STORAGE, /var/lib/caddy/.local/share/caddy by default.
#
# Caddy serves a certificate that it manages as soon as it has it, so this hook tells and cannot prevent. Where it is to
# prevent, let Caddy obtain for one server and serve with another, which reads PINSCHER_SERVED:
#   tls /etc/pinscher/served/fullchain.pem /etc/pinscher/served/privkey.pem
set -eu
storage=${CADDY_STORAGE:-/var/lib/caddy/.local/share/caddy}
exec "$(dirname "$0")/gate-then-serve.sh" "$storage/$1" "$storage/$2"
