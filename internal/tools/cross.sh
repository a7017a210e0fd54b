#!/usr/bin/env bash
# Builds everything for the other supported systems, and type-checks the tests there. Nothing is run.
set -euo pipefail

for target in linux/arm64 darwin/arm64 windows/amd64; do
	echo "build $target"
	export GOOS=${target%/*} GOARCH=${target#*/} CGO_ENABLED=0
	go build ./...
	go vet ./...
done
