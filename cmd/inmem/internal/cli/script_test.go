package cli

import (
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScripts runs the command lines of testdata/scripts, one after the other, on a database of the
// script's own: $TMP/db, which the directive fixture fills. "stdin" is the input of the next one.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		t.Parallel()
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t = t
			switch d.Cmd {
			case "fixture":
				fixture(t, w.dir())
			case "stdin":
				w.input = d.Input
			case "inmem":
				var b strings.Builder
				for line := range strings.Lines(d.Input) {
					b.WriteString(w.run(strings.TrimSuffix(line, "\n")))
				}
				return b.String()
			default:
				d.Fatalf(t, "unknown directive %s", d.Cmd)
			}
			return ""
		})
	})
}
