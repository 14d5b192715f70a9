#!/bin/sh
# try.sh DIRECTORY PACKAGE NEWER TRIAL: boots a copy of this system with systemd, in which TRIAL installs, runs, upgrades and removes
# the packages. Nothing of it is left. Run with mount and network namespaces of its own.
set -eu
directory=$1 package=$2 newer=$3 trial=$4

mount -t tmpfs try "$directory"
mkdir "$directory/upper" "$directory/work" "$directory/root"
mount -t overlay try -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work" "$directory/root"
# Of this system's own services none.
rm -rf "$directory"/root/etc/systemd/system/*.wants
cp "$package" "$directory/root/old.deb"
cp "$newer" "$directory/root/new.deb"
printf '%s' "$trial" >"$directory/root/trial.sh"
cat >"$directory/root/etc/systemd/system/trial.service" <<'UNIT'
[Unit]
After=basic.target
Requires=basic.target

[Service]
Type=oneshot
StandardOutput=file:/trial.out
StandardError=inherit
ExecStart=/bin/sh /trial.sh
ExecStopPost=/bin/systemctl --no-block exit
UNIT

ip link set lo up
ip link add try0 type veth peer name try1
ip address add 192.0.2.2/24 dev try0
ip link set try0 up
ip link set try1 up

# Not CAP_SYS_TIME: nothing in there may touch this machine's clock.
SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 timeout --kill-after 5 120 systemd-nspawn --quiet --register=no --keep-unit \
    --directory="$directory/root" --capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN --system-call-filter='bpf @clock' \
    --boot systemd.unit=trial.service systemd.unified_cgroup_hierarchy=yes >"$directory/boot" 2>&1 || true
cat "$directory/root/trial.out" || { tail "$directory/boot"; exit 1; }
grep -qx done "$directory/root/trial.out"

# What others keep of every package, in logs and caches, is no leftover.
left=$(cd "$directory/upper" && find . -name '*ptp-ctl*' ! -path './var/log/*' ! -path './var/cache/*' ! -path './var/lib/dpkg/*' ! -type c)
if [ -n "$left" ]; then
    echo "failed: left behind: $left"
    exit 1
fi
