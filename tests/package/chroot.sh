#!/bin/bash
# The life of the packages in a fresh Debian: installed, started as the unit says, used, stopped, upgraded with data, removed, purged; then weir-dev with an application of its own.
# Root and debootstrap are needed; everything happens below a temporary folder: tests/package/chroot.sh [BUILD-FOLDER]
# WEIR_CHROOT_TAR=FILE keeps the fresh system there, for the next time.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(readlink -f "${1:-build}")
suite=bookworm
# This machine's own mirror.
mirror=${WEIR_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')}
[ "$(id -u)" = 0 ] || { echo "this test takes root: it makes a chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "this test takes debootstrap" >&2; exit 1; }

work=$(mktemp -d)
root=$work/root
manager=
mkdir -p "$root"
cleanup() {
    [ -z "$manager" ] || kill -KILL "$manager" 2>/dev/null || true
    for mounted in proc dev/pts dev; do
        ! mountpoint -q "$root/$mounted" || umount -l "$root/$mounted"
    done
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
passed=0
fail() {
    echo "failed: $*" >&2
    [ ! -s "$work/weir.log" ] || tail -n 20 "$work/weir.log" >&2
    echo "$passed passed, 1 failed"
    exit 1
}
ok() {
    passed=$((passed + 1))
    echo "ok $passed - $*"
}
inside() {
    DEBIAN_FRONTEND=noninteractive chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

# ---- a fresh system ----
if [ -n "${WEIR_CHROOT_TAR:-}" ] && [ -e "$WEIR_CHROOT_TAR" ]; then
    tar -xpf "$WEIR_CHROOT_TAR" -C "$root"
else
    debootstrap --variant=minbase --include=adduser,ca-certificates "$suite" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 || { tail "$work/debootstrap.log"; fail "debootstrap"; }
    inside apt-get update -qq >"$work/apt.log" 2>&1 || { cat "$work/apt.log"; fail "apt-get update"; }
    [ -z "${WEIR_CHROOT_TAR:-}" ] || tar -cpf "$WEIR_CHROOT_TAR" -C "$root" .
fi
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing starts by itself in here
chmod 755 "$root/usr/sbin/policy-rc.d"

version=$("$build/weir" --version | cut -d' ' -f2)
for number in "$version" "$version+next1"; do
    cpack --config "$build/CPackConfig.cmake" -B "$work/packages" -D CPACK_PACKAGE_VERSION="$number" >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log"; fail "cpack $number"; }
done
mkdir "$root/packages"
cp "$work"/packages/*.deb "$root/packages/"

# ---- the server, as the unit says ----
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start_weir() {
    : >"$work/manager"
    python3 tests/package/unit.py "$root/lib/systemd/system/weir.service" --root "$root" --listen "127.0.0.1:$port" >"$work/manager" 2>>"$work/weir.log" &
    manager=$!
    for _ in $(seq 300); do
        ! grep -q '^ready$' "$work/manager" || return 0
        kill -0 "$manager" 2>/dev/null || break
        sleep 0.1
    done
    fail "weir is not ready"
}
stop_weir() {
    local code=0
    kill -TERM "$manager"
    wait "$manager" || code=$?
    manager=
    [ "$code" = 0 ] || fail "weir ended with $code"
}
aws() { # SERVICE TARGET BODY
    curl -sS --fail-with-body --max-time 20 --aws-sigv4 "aws:amz:us-east-1:$1" --user test:test -H "X-Amz-Target: $2" -H 'Content-Type: application/x-amz-json-1.1' -d "$3" "http://127.0.0.1:$port/" ||
        fail "$2"
}
dynamodb() {
    aws dynamodb "DynamoDB_20120810.$1" "$2"
}
mode_of() {
    inside stat -c '%U:%G %a' "$1"
}

inside apt-get install -y -qq --no-install-recommends "/packages/weir_${version}_amd64.deb" >"$work/install.log" 2>&1 || { tail -n 40 "$work/install.log"; fail "apt-get install"; }
[ "$(inside weir --version)" = "weir $version" ] || fail "the version"
ok "it installs with its dependencies"
[ "$(mode_of /var/lib/weir)" = "weir:weir 750" ] || fail "/var/lib/weir is $(mode_of /var/lib/weir)"
[ "$(mode_of /etc/weir/weir.yaml)" = "root:weir 640" ] || fail "weir.yaml is $(mode_of /etc/weir/weir.yaml)"
[ "$(mode_of /etc/default/weir)" = "root:root 600" ] || fail "/etc/default/weir is $(mode_of /etc/default/weir)"
inside getent passwd weir | grep -q ':/var/lib/weir:/usr/sbin/nologin$' || fail "the user"
inside weir check /etc/weir/weir.yaml | grep -q fine || fail "the configuration"
[ -L "$root/etc/systemd/system/multi-user.target.wants/weir.service" ] || fail "the service is not enabled"
ok "the user, its folder, the configuration and the service are there"

start_weir
inside weir health --endpoint "http://127.0.0.1:$port" | grep -q '"status":"ok"' || fail "health"
dynamodb CreateTable '{"TableName":"kept","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}' >/dev/null
dynamodb PutItem '{"TableName":"kept","Item":{"id":{"S":"a"},"text":{"S":"written before the upgrade"}}}' >/dev/null
ok "it starts as the unit says, under its user and its system call filter, and keeps an item"

# Patterns are compiled to machine code where that is allowed; here it is not, and the interpreter must do.
aws logs Logs_20140328.CreateLogGroup '{"logGroupName":"g"}' >/dev/null
aws logs Logs_20140328.CreateLogStream '{"logGroupName":"g","logStreamName":"s"}' >/dev/null
aws logs Logs_20140328.PutLogEvents "{\"logGroupName\":\"g\",\"logStreamName\":\"s\",\"logEvents\":[{\"timestamp\":$(date +%s)000,\"message\":\"score=42 mode=classic\"}]}" >/dev/null
query=$(aws logs Logs_20140328.StartQuery "{\"logGroupName\":\"g\",\"startTime\":$(($(date +%s) - 600)),\"endTime\":$(($(date +%s) + 600)),\"queryString\":\"filter @message like /sc+ore=\\\\d+/ | stats count(*) as n\"}" | sed 's/.*"queryId":"\([^"]*\)".*/\1/')
for _ in $(seq 100); do
    answer=$(aws logs Logs_20140328.GetQueryResults "{\"queryId\":\"$query\"}")
    case $answer in *'"Complete"'*) break ;; esac
    sleep 0.1
done
case $answer in *'"field":"n","value":"1"'*) ;; *) fail "the query: $answer" ;; esac
ok "log queries run without memory that is writable and executable"

kill -HUP "$manager"
for _ in $(seq 100); do
    ! grep -q 'were reloaded' "$work/weir.log" || break
    sleep 0.1
done
grep -q 'were reloaded' "$work/weir.log" || fail "SIGHUP"
ok "it reloads"

# ---- the upgrade: the administrator has changed the configuration, and it stays ----
sed -i 's/^apps: .*/apps: [echo, notes]/' "$root/etc/weir/weir.yaml"
before=$(stat -c %i "$root/usr/bin/weir")
inside apt-get install -y -qq "/packages/weir_${version}+next1_amd64.deb" >"$work/upgrade.log" 2>&1 || { tail -n 40 "$work/upgrade.log"; fail "the upgrade"; }
[ "$(stat -c %i "$root/usr/bin/weir")" != "$before" ] || fail "the program was not replaced"
grep -q '^apps: \[echo, notes\]$' "$root/etc/weir/weir.yaml" || fail "the configuration was overwritten"
[ "$(mode_of /etc/weir/weir.yaml)" = "root:weir 640" ] || fail "weir.yaml is $(mode_of /etc/weir/weir.yaml) after the upgrade"
dynamodb GetItem '{"TableName":"kept","Key":{"id":{"S":"a"}}}' | grep -q 'written before the upgrade' || fail "the old program does not serve until it is restarted"
stop_weir
start_weir
dynamodb GetItem '{"TableName":"kept","Key":{"id":{"S":"a"}}}' | grep -q 'written before the upgrade' || fail "the item is gone"
[ "$(inside dpkg-query -W -f '${Version}' weir)" = "$version+next1" ] || fail "the package's version"
ok "an upgrade keeps data and configuration"
stop_weir
inside setpriv --reuid weir --regid weir --clear-groups weir verify /var/lib/weir >"$work/verify.log" 2>&1 || { cat "$work/verify.log"; fail "weir verify"; }
ok "it stops in order, and the folder is whole"

# ---- the library ----
inside apt-get install -y -qq --no-install-recommends make gcc "/packages/weir-dev_${version}_amd64.deb" >"$work/dev.log" 2>&1 || { tail -n 40 "$work/dev.log"; fail "weir-dev"; }
cp -r "$root/usr/share/doc/weir-dev/examples/standalone" "$root/tmp/guestbook"
inside make -s -C /tmp/guestbook || fail "the application of its own"
inside /tmp/guestbook/guestbook serve --help | grep -q -- --data || fail "the application of its own does not run"
ok "weir-dev has what an application of its own takes"

# ---- the end ----
inside apt-get remove -y -qq weir >"$work/remove.log" 2>&1 || { cat "$work/remove.log"; fail "remove"; }
[ ! -e "$root/usr/bin/weir" ] || fail "the program is still there"
[ -d "$root/var/lib/weir/journal" ] && [ -e "$root/etc/weir/weir.yaml" ] || fail "remove took data or configuration"
ok "remove leaves data and configuration"
inside apt-get install -y -qq --no-install-recommends "/packages/weir_${version}+next1_amd64.deb" >>"$work/remove.log" 2>&1 || fail "installing again"
start_weir
dynamodb GetItem '{"TableName":"kept","Key":{"id":{"S":"a"}}}' | grep -q 'written before the upgrade' || fail "installed again, the item is gone"
stop_weir
ok "installed again it finds its data"
inside apt-get purge -y -qq weir >"$work/purge.log" 2>&1 || { cat "$work/purge.log"; fail "purge"; }
[ ! -e "$root/var/lib/weir" ] && [ ! -e "$root/etc/weir" ] && [ ! -e "$root/etc/default/weir" ] || fail "purge left something: $(ls -d "$root"/var/lib/weir "$root"/etc/weir "$root"/etc/default/weir 2>/dev/null)"
ok "purge takes them"
echo "$passed passed, 0 failed"
