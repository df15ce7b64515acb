#!/bin/sh
# Write both platforms' files from pins.toml; each replaces the old one only when it could be written whole.
set -eu
cd "$(dirname "$0")"

write() {
  mkdir -p "$(dirname "$2")"
  # Neither platform can refuse a host that its file does not name; a comment in the file says so.
  pinscher export "$1" --policy pins.toml --accept-loss=unlisted-hosts > "$2.new"
  mv "$2.new" "$2"
}

write android android/app/src/main/res/xml/network_security_config.xml
write apple ios/Pins.plist
