#!/usr/bin/env bash
# Runs staticcheck, at the version pinned in this folder's go.mod, on packages of the root module.
#
#   internal/tools/staticcheck.sh ./...
set -euo pipefail

# Left out: quick fixes and naming, which are taste, and what internal/lint decides in its own way.
checks='all,-QF*,-ST1000,-ST1003'

tools=$(cd "$(dirname "$0")" && pwd)
bin=$tools/../../.tools
go -C "$tools" build -o "$bin/" honnef.co/go/tools/cmd/staticcheck
"$bin/staticcheck" -checks "$checks" "$@"
