#!/bin/sh
# try.sh DIRECTORY PACKAGING ARCHIVE [PROGRAM]: runs the image of ARCHIVE on two nodes, by the manifest in PACKAGING. With PROGRAM the image
# is made first, upon what that needs of this system. Run with mount, network and process namespaces of its own: they end with all that
# is in them.
set -eu
directory=$1 packaging=$2 archive=$3 program=${4:-}
pod=ptp-ctl-pod-0
container=$pod-ptp-ctl

step() { echo "  $*"; }
fail() {
    echo "failed: $*"
    for node in server client; do
        echo "$node:"
        on "$node" podman logs --tail 20 "$container" 2>&1 || true
    done
    exit 1
}
# until_true WHAT COMMAND…: waits for it for half a minute.
until_true() {
    what=$1
    shift
    for _ in $(seq 60); do
        if "$@"; then return; fi
        sleep 0.5
    done
    fail "$what"
}

mount -t tmpfs try "$directory"
cat >"$directory/containers.conf" <<'CONF'
[containers]
log_driver = "k8s-file"
# Low enough for a root who may not raise a limit.
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
# As the manifest has it, which this podman does not read there.
seccomp_profile = "unconfined"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "/run/none"
CONF
# No systemd would run the probes here; they are run by hand.
export CONTAINERS_CONF="$directory/containers.conf" DISABLE_HC_SYSTEMD=true

# A node has what a machine of its own would have: the network, and podman's directories and the manifest's.
node() {
    mkfifo "$directory/$1"
    unshare --mount --net sh -c 'echo >"$1"; exec sleep infinity' sh "$directory/$1" &
    eval "$1=$!"
    read -r _ <"$directory/$1"
    for mounted in /run /var/lib /dev/shm; do on "$1" mount -t tmpfs try "$mounted"; done
    on "$1" test -e "$directory/$1" || { echo "failed: $directory is in what a node has of its own"; exit 1; }
    on "$1" mount -t bpf bpf /sys/fs/bpf
    # crun takes one version of control groups, not both.
    on "$1" umount /sys/fs/cgroup/unified 2>/dev/null || true
    on "$1" ip link set lo up
}
on() {
    eval "process=\$$1"
    shift
    nsenter --target "$process" --mount --net "$@"
}
node server
node client
ip link add eth0 netns "$server" type veth peer name eth0 netns "$client"
on server ip address add 10.0.1.2/24 dev eth0
on client ip address add 10.0.1.1/24 dev eth0
for node in server client; do on "$node" ip link set eth0 up; done

if [ -n "$program" ]; then
    step "image"
    built="$directory/image/src/target/release"
    mkdir -p "$built"
    strip -o "$built/ptp-ctl" "$program"
    {
        for file in "$program" /bin/sh; do ldd "$file" | grep --only-matching '/[^ ]*'; done
        printf '%s\n' /bin/sh /etc/passwd /etc/group
    } | sort --unique | tar --create --dereference --absolute-names --files-from - |
        on server podman import --quiet - docker.io/library/debian:bookworm-slim >/dev/null
    # What follows the stage that builds.
    sed '/ AS build$/,/^$/d' "$packaging/Containerfile" >"$directory/image/Containerfile"
    on server podman build --quiet --build-context "build=$directory/image" --tag ptp-ctl \
        --file "$directory/image/Containerfile" "$directory/image" >/dev/null
    rm -f "$archive"
    on server podman save --quiet --output "$archive" ptp-ctl
fi

# play NODE LINE…: the manifest, with these lines as configuration.
play() {
    node=$1
    shift
    on "$node" podman pod rm --all --force >/dev/null
    on "$node" podman volume rm --all --force >/dev/null
    # This podman does not know a DaemonSet. It and a Deployment have the same template.
    sed 's/^kind: DaemonSet/kind: Deployment/' "$packaging/daemonset.yaml" |
        awk -v lines="$*" '
            /^---/ { inside = 0 }
            !inside { print }
            /^  ptp-ctl.toml: / { inside = 1; count = split(lines, line, ";"); for (n = 1; n <= count; n++) print "    " line[n] }
        ' >"$directory/$node.yaml"
    on "$node" podman kube play --quiet "$directory/$node.yaml" >/dev/null
}
# The manifest's own configuration, but that it steers a clock of its own, never this machine's.
of_client() {
    sed -n '/^  ptp-ctl.toml: /,/^---/s/^    //p' "$packaging/daemonset.yaml" |
        sed 's/^clock = .*/clock = "virtual";virtual-offset = 5000000/' | tr '\n' ';'
}
ask() {
    node=$1
    shift
    on "$node" podman exec "$container" /usr/bin/ptp-ctl "$@"
}
has() { ask "$1" stats eth0 --json 2>/dev/null | grep -q "$2"; }
locked() { has client '"state":"locked"'; }
attached() { on "$1" ip -details link show eth0 | grep -q prog/xdp; }
probe() { on "$1" podman healthcheck run "$container" >/dev/null 2>&1; }
stop() {
    on "$1" podman pod stop --time 10 "$pod" >/dev/null
    [ "$(field "$1" ExitCode)" = 0 ] || fail "the $1 ends with $(field "$1" ExitCode)"
    ! attached "$1" || fail "the $1 leaves its program behind"
}
field() { on "$1" podman inspect --format "{{.State.$2}}" "$container"; }
status() { grep "^$2:" "/proc/$(field "$1" Pid)/status"; }

case $(of_client) in *'clock = "virtual"'*) ;; *) fail "the manifest names no clock" ;; esac
for node in server client; do on "$node" podman load --quiet --input "$archive" >/dev/null; done

step "a server and a client"
play server '[server];interface = "eth0";clock = "none"'
until_true "no server" has server '"data_plane":"xdp"'
play client "$(of_client)"
until_true "the client does not lock" locked
has client '"xdp_mode":"native"' && attached client || fail "not by XDP"
step "  $(ask client status eth0 | sed -n 2p)"

step "no more than the manifest gives"
added=$(sed -n '/^ *add:/,/^ *[^ -]*:/s/^ *- //p' "$packaging/daemonset.yaml" | wc -l)
given=$(status client CapEff | sed 's/.*://; s/[^0-9a-f]//g')
[ "$(printf '%d' "0x$given" | awk '{ for (n = $1; n >= 1; n = int(n / 2)) bits += n % 2; print bits }')" = "$added" ] ||
    fail "capabilities $given, not $added of them"
status client NoNewPrivs | grep -q 1 || fail "it can get more"

step "what the node sees of it"
on client podman cp "$container:/usr/bin/ptp-ctl" "$directory/ptp-ctl"
on client "$directory/ptp-ctl" stats eth0 --json | grep -q '"state":"locked"' || fail "no socket on the node"
case $(on client "$directory/ptp-ctl" now eth0 2>&1 || true) in *locked*) ;; *) fail "no time page on the node" ;; esac
on server bash -c 'exec 3<>/dev/tcp/10.0.1.1/9319 && printf "GET /metrics HTTP/1.0\r\n\r\n" >&3 && cat <&3' |
    grep -q '^ptp_controller_info' || fail "no metrics"

step "a controller that hangs is not alive"
until_true "it is not alive" probe client
on client podman kill --signal STOP "$container" >/dev/null
! probe client || fail "it is alive"
on client podman kill --signal CONT "$container" >/dev/null
until_true "it does not recover" probe client

step "a new configuration"
file=$(on server podman volume inspect --format '{{.Mountpoint}}' ptp-ctl)/ptp-ctl.toml
on server sh -c "echo 'priority1 = 77' >>$file"
ask server reload eth0 >/dev/null
has server '"priority1":77' || fail "it is not applied"

step "stop and start"
stop server
lost() { ! locked; }
until_true "the client does not see it" lost
on server podman pod start "$pod" >/dev/null
# As process 1 it hears only what it listens to, and that has to be from its start.
first=$(field server Pid)
kill -TERM "$first"
another() { [ "$(field server Pid)" != "$first" ] && has server '"data_plane":"xdp"'; }
until_true "it does not end while it starts" another
until_true "the client does not lock again" locked

step "as another user"
play client "$(of_client)user = \"nobody\""
until_true "the client does not lock as another user" locked
status client Uid | grep -q "$(id -u nobody)" || fail "it is still root's"
stop client
echo done
