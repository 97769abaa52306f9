#!/usr/bin/env bash
# Installs what npm run test:peers needs on Debian, as far as it is missing.
set -euo pipefail
cd "$(dirname "$0")"

python=${PYTHON:-/usr/bin/python3}
chromium=${CHROMIUM:-/usr/bin/chromium}

packages=()
"$python" -c 'import websockets' 2>/dev/null || packages+=(python3-websockets)
[ -x "$chromium" ] || packages+=(chromium fonts-liberation)
[ -e /usr/share/kore/features ] && command -v kore >/dev/null || packages+=(kore)
[ -x /sbin/ip ] || [ -x /usr/sbin/ip ] || packages+=(iproute2)
command -v gcc >/dev/null && [ -e /usr/include/stdio.h ] || packages+=(gcc libc6-dev)

if [ "${#packages[@]}" -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  # ${…[@]+…}: bash before 4.4 takes an empty array for an unset variable.
  ${as_root[@]+"${as_root[@]}"} apt-get update -qq
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# npm notes here what it has installed; npm ls compares that with the lock file.
if ! npm ls --all >/dev/null 2>&1; then
  npm ci --no-audit --no-fund --loglevel=error >/dev/null
fi
