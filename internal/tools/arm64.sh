#!/usr/bin/env bash
# Tests what is in assembly for arm64, in QEMU's emulator of one process: the distance kernels at all
# levels, on a CPU with SDOT and on one without, what is built on them, and the scans of the memtable,
# which prefetch. Nothing is timed.
set -euo pipefail
cd "$(dirname "$0")/../.."

qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
if [ -z "$qemu" ]; then
	echo "there is no qemu-aarch64: install it (Debian: qemu-user)" >&2
	exit 77
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export GOOS=linux GOARCH=arm64 CGO_ENABLED=0

# emulate CPU LEVEL PACKAGE: its tests, in which this level of kernels has to occur.
emulate() {
	echo "linux/arm64, $1"
	go test -exec "$qemu -cpu $1" -count 1 -short -v "$3" >"$log" 2>&1 || { cat "$log"; exit 1; }
	grep '^ok' "$log"
	# A level that is not chosen is not tested, and no test would say so.
	grep -q -- "--- PASS: TestInt8LevelsAreExact/$2 " "$log" ||
		{ echo "there was no level $2"; exit 1; }
}

emulate cortex-a53 neon ./pkg/vector/internal/kernel
emulate max neondotprod ./pkg/vector/...
echo "linux/arm64, scans"
go test -exec "$qemu" -count 1 -short -run 'Block|Scan|Cursor' ./internal/memtable
