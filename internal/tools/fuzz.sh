#!/usr/bin/env bash
# Runs every fuzz target of the given packages so many times or so long each, one after the other.
# Counts are for machines: a run that is bounded by time can end in "context deadline exceeded", a
# failure of the fuzzer itself and of no input.
#
#   internal/tools/fuzz.sh 20000x ./pkg/codec ./internal/...
#   internal/tools/fuzz.sh -blind 500x ./...
#
# With -blind nothing is compiled anew to see what an input covers: what the targets are given are
# the seeds, changed at random. That takes a second or less for each target, so that all can be run
# with every change; to find more, run without it.
#
# What is interesting is made smaller by a few attempts: a target with goroutines covers something
# else each time, and would never come to an end of that.
#
# An input that fails is written to the testdata/fuzz folder of its package; go test runs it from
# then on.
set -euo pipefail

blind=
if [ "$1" = -blind ]; then
	blind=yes
	shift
fi
budget=$1
shift
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
count=0

# A package that does not compile ends the script: nothing here is part of a condition.
targets=$(go list -f '{{$d := .}}{{range .TestGoFiles}}{{$d.Dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$d.Dir}}/{{.}}
{{end}}' "$@" | xargs grep -l '^func Fuzz' || true)
packages=$(xargs -rn1 dirname <<<"$targets" | sort -u)
for dir in $packages; do
	if [ -n "$blind" ]; then
		go -C "$dir" test -c -o "$work/fuzz.test" .
		listed=$(cd "$dir" && "$work/fuzz.test" -test.list '^Fuzz')
	else
		listed=$(go -C "$dir" test -list '^Fuzz' .)
	fi
	for target in $(grep '^Fuzz' <<<"$listed" || true); do
		echo "fuzz ${dir#"$PWD"/} $target ($budget)"
		if [ -n "$blind" ]; then
			(cd "$dir" && "$work/fuzz.test" -test.run '^$' -test.fuzz "^$target\$" \
				-test.fuzztime "$budget" -test.fuzzcachedir "$work/cache" >"$work/out" 2>&1) ||
				{ cat "$work/out"; exit 1; }
		else
			go -C "$dir" test -run '^$' -fuzz "^$target\$" -fuzztime "$budget" \
				-fuzzminimizetime 20x .
		fi
		count=$((count + 1))
	done
done
echo "fuzz: $count targets, $budget each"
if [ "$count" = 0 ]; then
	echo "fuzz: no targets found in: $*" >&2
	exit 1
fi
