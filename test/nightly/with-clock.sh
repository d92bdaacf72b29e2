#!/bin/sh
# with-clock.sh SECONDS ZONE LIBRARY COMMAND…
# Runs COMMAND, and whatever it starts, on a clock that is SECONDS ahead, in the time zone ZONE. `unshare --mount` gives this
# script a view of /etc and /dev/shm of its own, so nothing else on the machine notices.
# Variables would not do: the tests start the service and PostgreSQL with environments that have none of theirs.
set -eu
seconds=$1 zone=$2 library=$3
shift 3

room=$(mktemp -d)
mount -t tmpfs none "$room"
mkdir "$room/upper" "$room/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$room/upper,workdir=$room/work" /etc
# What the library shares between processes stays behind when one is killed.
mount -t tmpfs -o mode=1777 none /dev/shm

ln -sf "/usr/share/zoneinfo/$zone" /etc/localtime
# The monotonic clock is as far ahead, in every process alike, so its differences stay true.
if [ "$seconds" -ne 0 ]; then
  echo "+$seconds" >/etc/faketimerc
  echo "$library" >/etc/ld.so.preload
fi
# The mounts go with the last process of the namespace; the directory that they hid is the machine's.
umount --lazy "$room"
rmdir "$room"
exec "$@"
