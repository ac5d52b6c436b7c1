/**
 * Installs `redis-server` for its program alone. The package starts a service on port 6379 and has it started at each
 * boot, which nobody asked for here: a policy file forbids the start meanwhile, unless there is one already, and then
 * the service is stopped and taken out of the boot.
 *
 * To be run by one process at a time.
 */
export const APT_INSTALL = `
  command -v redis-server >/dev/null && exit 0
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\\nexit 101\\n' >"$policy"
    chmod 755 "$policy"
  fi
  # Where the lists cannot be fetched anew, those at hand may do.
  apt-get update
  apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends redis-server || exit 1
  service redis-server stop
  update-rc.d redis-server disable
  exit 0
`;
