#!/bin/sh
# with-clock.sh SECONDS ZONE COMMAND…
# Runs COMMAND, and whatever it starts, on a clock that is SECONDS ahead, in the time zone ZONE. `unshare --mount` gives this
# script a view of /etc of its own, so nothing else on the machine notices.
# Variables would not do: the tests start the service and PostgreSQL with environments that have none of theirs.
set -eu
seconds=$1 zone=$2
shift 2

# Readable by whomever PostgreSQL runs as. The last process of the namespace takes it away with itself.
mount -t tmpfs -o mode=755 none /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
ln -sf "/usr/share/zoneinfo/$zone" /etc/localtime
if [ "$seconds" -ne 0 ]; then
  cc -shared -fPIC -O2 -Wall -Werror "-DAHEAD=$seconds" -o /mnt/ahead.so "$(dirname "$0")/ahead.c"
  echo /mnt/ahead.so >/etc/ld.so.preload
fi
exec "$@"
