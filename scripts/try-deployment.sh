#!/usr/bin/env bash
# Tries docs/operating.md as a new operator would: three machines, as network namespaces on a bridge, each with a folder of
# its own. Needs root, iproute2 and curl, and `npm run build`. Prints what it checks; ends with 1 at the first failure.
#   sudo scripts/try-deployment.sh [work folder]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-$(mktemp -d)}
tag=mrl$$
pids=()
marillc() { node "$root/dist/compiler/cli/main.js" "$@"; }
on() { local machine=$1; shift; ip netns exec "$tag-$machine" "$@"; }
cli() { local machine=$1; shift; (cd "$work/$machine" && on "$machine" node "$root/dist/compiler/cli/main.js" "$@"); }
ok() { echo "ok    $*"; }
die() { echo "FAILS $*"; tail -n 20 "$work"/*/log 2>/dev/null || true; exit 1; }
cleanup() {
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  for machine in server dealer alice bob; do ip netns del "$tag-$machine" 2>/dev/null || true; done
  ip netns del "$tag-lan" 2>/dev/null || true
}
trap cleanup EXIT

# Machines: a bridge in a namespace of its own, so that nothing of this machine's network changes.
ip netns add "$tag-lan"
ip -n "$tag-lan" link add lan type bridge
ip -n "$tag-lan" link set lan up
declare -A address=([server]=10.77.0.1 [dealer]=10.77.0.2 [alice]=10.77.0.3 [bob]=10.77.0.4)
for machine in server dealer alice bob; do
  mkdir -p "$work/$machine"
  ip netns add "$tag-$machine"
  ip -n "$tag-$machine" link set lo up
  ip -n "$tag-$machine" link add eth0 type veth peer name "$machine" netns "$tag-lan"
  ip -n "$tag-$machine" address add "${address[$machine]}/24" dev eth0
  ip -n "$tag-$machine" link set eth0 up
  ip -n "$tag-lan" link set "$machine" master lan up
done
server=${address[server]}:7301
dealer=${address[dealer]}:7302

# Keys: what passes between machines are invites and certificates.
cli server keys init keys --role server >/dev/null
cp "$work/server/keys/dealer.invite.json" "$work/dealer/"
cli dealer keys accept dealer.invite.json identity >/dev/null
cp "$work/dealer/identity/cert.pem" "$work/server/dealer.pem"
cli server keys trust keys/server dealer dealer.pem >/dev/null
for name in alice bob; do
  cli server keys invite keys/server "client.$name" "$name.invite.json" >/dev/null
  cp "$work/server/$name.invite.json" "$work/$name/"
  cli "$name" keys accept "$name.invite.json" identity >/dev/null
  for machine in server dealer; do cp "$work/$name/identity/cert.pem" "$work/$machine/$name.pem"; done
  cli server keys trust keys/server "client.$name" "$name.pem" >/dev/null
  cli dealer keys trust identity "client.$name" "$name.pem" >/dev/null
done
[ "$(find "$work" -name key.pem | wc -l)" = 4 ] || die "four private keys"
ok "keys: four private keys, each made on its machine"

# A build: each machine gets its own folder.
model=$root/fixtures/date-llama
[ -d "$work/build" ] || marillc compile "$model/base-ts17.onnx" -o "$work/build" --adapter "$model/adapter" \
  --reveal logits:client --calibrate "$model/calibration.jsonl" --no-verify >/dev/null
cp -r "$work/build/server" "$work/server/build"
for name in alice bob; do cp -r "$work/build/client" "$work/$name/build"; done

start() { # <machine> <command> …: in the background, with a log
  local machine=$1; shift
  (cd "$work/$machine" && exec ip netns exec "$tag-$machine" node "$root/dist/compiler/cli/main.js" "$@" >out 2>log) &
  pids+=($!)
  started=$!
  for _ in $(seq 600); do grep -q "^listening" "$work/$machine/out" && return; kill -0 "$started" || die "$machine ended"; sleep 0.1; done
  die "$machine does not listen"
}
start dealer deal --listen 0.0.0.0:7302 --identity identity --health 127.0.0.1:9302 --log-format json
dealer_pid=$started
start server serve build --listen 0.0.0.0:7301 --dealer "$dealer" --identity keys/server --health 127.0.0.1:9301 \
  --drain-timeout 60 --log-format json
server_pid=$started
ok "deal and serve listen"

cli alice doctor --server "$server" --dealer "$dealer" --identity identity >/dev/null || die "doctor"
grep -q '"level":"warn"' "$work"/{server,dealer}/log && die "doctor left a line in a log"
ok "doctor passes, and leaves no line"

ask() { cli "$1" query build --server "$server" --dealer "$dealer" --identity identity --input "input_ids=$model/prompt.json" --json "${@:2}"; }
token() { node -e 'const o=JSON.parse(require("fs").readFileSync(0)).outputs.logits,n=o.shape[2],r=o.data.slice(24*n,25*n);console.log(r.indexOf(Math.max(...r)))'; }
first=$(ask alice | token)
[ "$(ask bob | token)" = "$first" ] || die "two clients, two answers"
ok "alice and bob are answered (token $first)"

metric() { on "$1" curl -sf "http://127.0.0.1:$2/metrics" | grep -F "$3"; }
[ "$(metric server 9301 'marillc_sessions_total{result="answered"' | awk '{print $2}')" = 2 ] || die "metrics"
[ "$(on server curl -sf http://127.0.0.1:9301/readyz)" = ready ] || die "readyz"
grep -q '"peer":"client.bob"' "$work/server/log" || die "log names the client"
ok "health, metrics and log tell of both"

cli server keys revoke keys/server client.bob >/dev/null
kill -HUP "$server_pid"
for _ in $(seq 100); do grep -q '"event":"reloaded"' "$work/server/log" && break; sleep 0.1; done
set +e
ask bob >"$work/bob/out" 2>&1
code=$?
set -e
[ "$code" = 3 ] && grep -q MRL0722 "$work/bob/out" || die "bob is revoked (exit $code)"
grep -q "10.77.0.4" "$work/server/log" || die "the refusal names the address"
ask alice >/dev/null || die "alice is still served"
ok "bob is revoked without a restart, his refusal has his address, alice is served"

cli server keys renew keys/server keys/renewed >/dev/null
for machine in alice dealer; do
  cp "$work/server/keys/renewed/cert.pem" "$work/$machine/server-new.pem"
  cli "$machine" keys trust identity server.new server-new.pem >/dev/null
done
kill -HUP "$dealer_pid"
mv "$work/server/keys/server" "$work/server/keys/old" && mv "$work/server/keys/renewed" "$work/server/keys/server"
kill -HUP "$server_pid"
sleep 1
cli alice keys revoke identity server >/dev/null
ask alice >/dev/null || die "a query after the rotation of the server's key"
ok "the server has another key, without a restart"

ask alice >"$work/alice/answer" 2>"$work/alice/log" &
query=$!
for _ in $(seq 200); do [ "$(metric server 9301 marillc_sessions_computing | tail -1 | awk '{print $2}')" = 1 ] && break; sleep 0.05; done
kill -TERM "$server_pid"
wait "$query" || die "the query that ran when the server stopped"
set +e; wait "$server_pid"; code=$?; set -e
[ "$code" = 0 ] || die "serve ends with 0, found $code"
[ "$(token <"$work/alice/answer")" = "$first" ] || die "the answer of the last query"
ok "SIGTERM: the running query is answered, serve ends with 0"

set +e; ask alice --patience 0 >"$work/alice/err" 2>&1; code=$?; set -e
[ "$code" = 3 ] && grep -q MRL0723 "$work/alice/err" || die "without a server: exit 3, MRL0723 (exit $code)"
kill -TERM "$dealer_pid"; set +e; wait "$dealer_pid"; code=$?; set -e
[ "$code" = 0 ] || die "deal ends with 0, found $code"
if grep -rlE "BEGIN .*PRIVATE KEY" "$work"/*/log "$work"/*/out; then die "a private key in a log"; fi
ok "deal ends with 0, and no log has a key"
