package cli

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// importBar is a bar on a terminal: how far a source was read, how fast, and how long it will take.
type importBar struct {
	bar  *progressbar.ProgressBar
	name string
}

// newImportBar draws nothing before the first record. Of a source without a size, 0, it shows how
// much was read.
func newImportBar(w io.Writer, name string, size int64) *importBar {
	if size == 0 {
		size = -1
	}
	bar := progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine of its own
		progressbar.OptionClearOnFinish())
	return &importBar{bar: bar, name: show.Cut(show.Clean(name), 24)}
}

// at shows how far the import has come.
func (p *importBar) at(now transcript.Progress) {
	p.bar.Describe(p.name + " " + show.Count(now.Runs+now.Skipped, "run"))
	_ = p.bar.Set64(now.Bytes) // a terminal that takes no bar is no reason to end an import
}

// clear takes the bar away, so that what follows begins on a clean line.
func (p *importBar) clear() {
	_ = p.bar.Clear()
	_ = p.bar.Exit()
}
