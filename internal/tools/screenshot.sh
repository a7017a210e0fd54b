#!/usr/bin/env bash
# Writes pages of inmem, and looks at them in headless Chromium: pictures of them, in a light and a
# dark form. Transcripts that are named are what is shown, else the samples.
#
#   internal/tools/screenshot.sh FOLDER [TRANSCRIPT...]
#
# The environment may name the browser: CHROMIUM=/usr/bin/google-chrome.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mkdir -p "$1" && cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- pkg/transcript/testdata/samples/*

browser=${CHROMIUM:-}
for name in chromium chromium-browser google-chrome chrome; do
	[ -n "$browser" ] || browser=$(command -v "$name" || true)
done
if [ -z "$browser" ]; then
	echo "there is no Chromium: install one, or name it in CHROMIUM" >&2
	exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/inmem" ./cmd/inmem
"$work/inmem" import transcripts --db "$work/db" "$@"

# picture PAGE HEIGHT COMMAND...: the page that a command writes.
picture() {
	local name=$1 height=$2 scheme=0
	shift 2
	"$work/inmem" "$@" --db "$work/db" --html "$work/$name.html"
	for form in dark light; do
		"$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
			--user-data-dir="$work/profile" --blink-settings=preferredColorScheme=$scheme \
			--window-size="1280,$height" --screenshot="$folder/$name-$form.png" \
			"file://$work/$name.html" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
		test -s "$folder/$name-$form.png"
		scheme=1
	done
	echo "$folder/$name-light.png, $folder/$name-dark.png"
}

picture tasks 700 tasks
picture tools 1300 tools
picture slowest 700 slowest
picture compare 1500 compare --tag "task_id=${TASK:-0}"
