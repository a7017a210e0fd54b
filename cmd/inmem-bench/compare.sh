#!/usr/bin/env bash
# Compares the speed of two revisions: builds inmem-bench of BASE and of the working tree, runs the
# core workloads of both in turns, and prints benchstat.
#
#   cmd/inmem-bench/compare.sh BASE [rounds [time per workload and round]]
#
# The figures of all rounds are left in bench-base.txt and bench-new.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=${1:?which revision is the base?}
rounds=${2:-8}
time=${3:-200ms}

# Names that every revision of the bench knows.
core=engine_get,engine_put,engine_delete/existing,txn_commit/single_put,txn_commit/multi_put/10
core+=,txn_commit/read_modify_write,txn_commit/readN_write1,txn_cas/success_sequential
core+=,snapshot/single_read,conflict/same_key/4,conflict/disjoint_keys/8,durability/strict_put

dir=$(mktemp -d)
finish() {
	git worktree remove --force "$dir/base" 2>/dev/null || true
	rm -rf "$dir"
}
trap finish EXIT

git worktree add --quiet --detach "$dir/base" "$base"
go -C "$dir/base" build -o "$dir/base-bench" ./cmd/inmem-bench
go build -o "$dir/new-bench" ./cmd/inmem-bench
go -C internal/tools build -o "$dir/" golang.org/x/perf/cmd/benchstat

run() {
	"$dir/$1-bench" -quiet -repeats 1 -time "$time" -workloads "$core" \
		-gobench "$dir/out" >"$dir/table"
	cat "$dir/out" >>"bench-$1.txt"
}

rm -f bench-base.txt bench-new.txt
for ((round = 1; round <= rounds; round++)); do
	echo "round $round of $rounds" >&2
	if ((round % 2)); then
		run base
		run new
	else
		run new
		run base
	fi
done
"$dir/benchstat" -filter '.unit:(ns/op OR cpu-ns/op OR allocs/op) .name:/^Inmem/' \
	bench-base.txt bench-new.txt
