package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/internal/show"
)

// StyleOf colours only terminals, and none if NO_COLOR is set.
func StyleOf(w io.Writer) Style { return show.StyleOf(w) }

// Progress shows how far a run is: a bar that is drawn over and over on a terminal, else one line
// for each round of repeats, and one a minute.
type Progress struct {
	w        io.Writer
	terminal bool
	style    Style
	start    time.Time
	drawn    bool
	last     measure.Step
	said     time.Time // when the last line was written
}

// sayEvery is the longest time without a line where there is no terminal.
const sayEvery = time.Minute

// NewProgress writes to w, which is usually the standard error output.
func NewProgress(w io.Writer) *Progress {
	return &Progress{w: w, terminal: show.IsTerminal(w), style: StyleOf(w), start: time.Now()}
}

// Step shows that a trial begins. Output that fails is not worth stopping for.
func (p *Progress) Step(s measure.Step) {
	took := time.Since(p.start)
	if !p.terminal {
		if s.Number == 0 || s.Repeat != p.last.Repeat || s.Cases != p.last.Cases {
			fmt.Fprintf(p.w, "repeat %d of %d, %d workloads%s\n",
				s.Repeat+1, s.Repeats, s.Cases, left(took, s))
			p.said = time.Now()
		} else if time.Since(p.said) > sayEvery {
			fmt.Fprintf(p.w, "%d of %d, %s of %s%s\n", s.Number, s.Of, s.Name, s.System, left(took, s))
			p.said = time.Now()
		}
		p.last = s
		return
	}
	const cells = 24
	full := cells * s.Number / s.Of
	bar := strings.Repeat("█", full)
	if p.style.Color {
		bar = "\x1b[32m" + bar + "\x1b[0m"
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s%s %3d%% %s%s", bar, strings.Repeat("░", cells-full),
		100*s.Number/s.Of, cut(s.Name, 33), left(took, s))
	p.drawn = true
}

// left estimates the time that is still to come, once there is something to judge by.
func left(took time.Duration, s measure.Step) string {
	if s.Number < 5 {
		return ""
	}
	rest := took / time.Duration(s.Number) * time.Duration(s.Of-s.Number)
	return fmt.Sprintf(", about %.0f s left", rest.Seconds())
}

// Done removes the bar.
func (p *Progress) Done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}
