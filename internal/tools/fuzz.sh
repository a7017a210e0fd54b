#!/usr/bin/env bash
# Runs every fuzz target of the given packages so many times or so long each, one after the other.
# Counts are for machines: a run that is bounded by time can end in "context deadline exceeded", a
# failure of the fuzzer itself and of no input.
#
#   internal/tools/fuzz.sh 20000x ./pkg/codec ./internal/...
#
# An input that fails is written to the testdata/fuzz folder of its package; go test runs it from
# then on.
set -euo pipefail

budget=$1
shift
count=0
for package in $(go list "$@"); do
	# Listed first and looked at afterwards, so that a package that does not compile ends the script.
	listed=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		echo "fuzz $package $target ($budget)"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$budget" "$package"
		count=$((count + 1))
	done
done
echo "fuzz: $count targets, $budget each"
if [ "$count" = 0 ]; then
	echo "fuzz: no targets found in: $*" >&2
	exit 1
fi
