package cli

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// progress is a bar on a terminal: how far a source was read, how fast, and how long it will take.
type progress struct {
	bar  *progressbar.ProgressBar
	name string
}

// newProgress draws nothing before the first record. Of a source without a size, 0, it shows how
// much was read.
func newProgress(w io.Writer, name string, size int64) *progress {
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
	return &progress{bar: bar, name: terminal.Cut(terminal.Clean(name), 24)}
}

// at shows how far the import has come.
func (p *progress) at(now transcript.Progress) {
	p.bar.Describe(p.name + " " + show.Count(now.Runs+now.Skipped, "run"))
	_ = p.bar.Set64(now.Bytes) // a terminal that takes no bar is no reason to end an import
}

// moved shows how many bytes of how many are done. Like clear it does nothing without a bar.
func (p *progress) moved(done, total int64) {
	if p != nil {
		p.bar.ChangeMax64(total)
		_ = p.bar.Set64(done)
	}
}

// clear takes the bar away, so that what follows begins on a clean line.
func (p *progress) clear() {
	if p == nil {
		return
	}
	_ = p.bar.Clear()
	_ = p.bar.Exit()
}
