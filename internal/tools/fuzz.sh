#!/usr/bin/env bash
# Runs every fuzz target of the given packages for a while each, one after the other.
#
#   internal/tools/fuzz.sh 5s ./pkg/codec ./internal/...
#
# An input that fails is written to the testdata/fuzz folder of its package; go test runs it from
# then on.
set -euo pipefail

time=$1
shift
count=0
for package in $(go list "$@"); do
	# Listed first and looked at afterwards, so that a package that does not compile ends the script.
	listed=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		echo "fuzz $package $target ($time)"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
		count=$((count + 1))
	done
done
echo "fuzz: $count targets, $time each"
if [ "$count" = 0 ]; then
	echo "fuzz: no targets found in: $*" >&2
	exit 1
fi
