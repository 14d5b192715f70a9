# Runs inside of what try.sh boots.
set -eu

step() { echo "  $*"; }
fail() {
    echo "failed: $*"
    systemctl status --no-pager --full ptp-ctl || true
    exit 1
}
# The kernel's number of the program at the interface, or nothing.
program() { ip -details link show try0 | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'; }
show() { systemctl show --property "$1" --value ptp-ctl; }
# until WHAT COMMAND…: waits for it for half a minute.
until_true() {
    what=$1
    shift
    for _ in $(seq 60); do
        if "$@"; then return; fi
        sleep 0.5
    done
    fail "$what"
}

mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf

step "install"
dpkg --install /old.deb >/dev/null
ptp-ctl check --config /etc/ptp-ctl.toml >/dev/null || fail "the package's file is not right"
[ "$(show ActiveState)" = inactive ] || fail "the package started something"
[ -s /usr/share/man/man1/ptp-ctl-client.1.gz ] || fail "no man page"
bash -n /usr/share/bash-completion/completions/ptp-ctl || fail "the completions are no script"
for unit in ptp-ctl.service ptp-ctl@try0.service; do
    said=$(systemd-analyze verify "$unit" 2>&1 | grep ptp-ctl || true)
    [ -z "$said" ] || fail "systemd-analyze: $said"
done

step "start and stop"
printf '[server]\ninterface = "try0"\nclock = "none"\n' >/etc/ptp-ctl.toml
systemctl start ptp-ctl || fail "it does not start"
[ -n "$(program)" ] || fail "it attaches no program"
systemctl stop ptp-ctl
[ -z "$(program)" ] || fail "it leaves its program behind"

step "start, on a program that is attached"
ptp-ctl attach try0 >/dev/null
attached=$(program)
[ -n "$attached" ] || fail "nothing is attached"
systemctl start ptp-ctl || fail "it does not start"
ptp-ctl stats try0 --json | grep -q '"data_plane":"xdp"' || fail "it does not use the program"
case $(show StatusText) in *"server on try0"*) ;; *) fail "it does not tell what it is" ;; esac

step "a controller that hangs is started again"
systemctl kill --signal STOP ptp-ctl
restarted() { [ "$(show NRestarts)" = 1 ] && [ "$(show ActiveState)" = active ]; }
until_true "the watchdog does not bite" restarted

step "upgrade"
before=$(show MainPID)
dpkg --install /new.deb >/dev/null
[ "$(show ActiveState)" = active ] && [ "$(show MainPID)" != "$before" ] || fail "the upgrade did not start it again"
[ "$(program)" = "$attached" ] || fail "the upgrade took the program off"
grep -q try0 /etc/ptp-ctl.toml || fail "the upgrade lost the configuration"
ptp-ctl stats try0 --json | grep -q '"data_plane":"xdp"' || fail "the new version does not use the program"

step "a wrong setting is not tried again"
echo 'dscp = 64' >>/etc/ptp-ctl.toml
! systemctl restart ptp-ctl 2>/dev/null || fail "it started with a wrong setting"
[ "$(show ExecMainStatus)" = 2 ] && [ "$(show ActiveState)" = failed ] || fail "it is tried again"
sed -i '/dscp/d' /etc/ptp-ctl.toml
systemctl start ptp-ctl

step "as another user, and reload"
echo 'user = "nobody"' >>/etc/ptp-ctl.toml
systemctl restart ptp-ctl || fail "it does not start as another user"
[ "$(stat -c %U "/proc/$(show MainPID)")" = nobody ] || fail "it is still root's"
echo 'priority1 = 77' >>/etc/ptp-ctl.toml
systemctl reload ptp-ctl || fail "it is not told to read its file again"
reloaded() { ptp-ctl stats try0 --json | grep -q '"priority1":77'; }
until_true "the new setting is not applied" reloaded

step "remove"
dpkg --remove ptp-ctl >/dev/null
[ -z "$(program)" ] || fail "the program is still attached"
[ ! -e /usr/bin/ptp-ctl ] || fail "the program is still there"
[ -e /etc/ptp-ctl.toml ] || fail "removing took the configuration, which is for purging"

step "purge"
dpkg --purge ptp-ctl >/dev/null
[ ! -e /etc/ptp-ctl.toml ] && [ ! -e /var/lib/ptp-ctl ] || fail "something is left"
echo done
