package soak

import (
	"fmt"
	"time"

	"github.com/inmem-db/inmem/cmd/internal/show"
)

// figure is one that is judged, or only shown.
type figure struct {
	name  string
	value func(*Sample) float64
	write func(float64) string
	bound Bound // zero: it is shown and not judged
}

func ofBytes(v float64) string  { return show.Size(int64(v)) }
func ofMicros(v float64) string { return show.Duration(time.Duration(v * 1e3)) }
func ofCount(v float64) string  { return fmt.Sprintf("%.0f", v) }
func ofRate(v float64) string   { return show.Rate(v) + "/s" }

// figures are all of them, with what each may drift in a soak. The bounds of speed are wide: other
// work on the machine is no drift of ours, and a real one becomes worse with time.
var figures = []figure{
	{"commits", func(s *Sample) float64 { return s.Commits }, ofRate, Bound{Fall, .35, 20}},
	{"reads", func(s *Sample) float64 { return s.Reads }, ofRate, Bound{Fall, .35, 20}},
	{"commit p50", func(s *Sample) float64 { return s.CommitP50 }, ofMicros, Bound{}},
	{"commit p99", func(s *Sample) float64 { return s.CommitP99 }, ofMicros, Bound{Rise, 1, 5000}},
	{"read p50", func(s *Sample) float64 { return s.ReadP50 }, ofMicros, Bound{}},
	{"read p99", func(s *Sample) float64 { return s.ReadP99 }, ofMicros, Bound{Rise, 1, 5000}},
	{"live heap", func(s *Sample) float64 { return s.Heap }, ofBytes, Bound{Rise, .25, 8 << 20}},
	{"resident", func(s *Sample) float64 { return s.RSS }, ofBytes, Bound{Rise, .35, 32 << 20}},
	{"goroutines", func(s *Sample) float64 { return s.Goroutines }, ofCount, Bound{Rise, .1, 5}},
	{"descriptors", func(s *Sample) float64 { return s.Descriptors }, ofCount, Bound{Rise, .2, 10}},
	{"disk", func(s *Sample) float64 { return s.Disk }, ofBytes, Bound{}},
	{"disk in use", inUse, ofBytes, Bound{Rise, .35, 16 << 20}},
	{"runs", func(s *Sample) float64 { return s.Runs }, ofCount, Bound{Rise, .25, 20}},
}

// perDeleted is what a run leaves when it is deleted, in bytes on disk: docs/retention.md. That
// grows with what was done, and is no drift as long as it is not more.
const perDeleted = 128

// inUse is the disk less what deleted runs may have left.
func inUse(s *Sample) float64 { return s.Disk - perDeleted*s.Deleted }

// judged tells whether a figure has a bound.
func (f *figure) judged() bool { return f.bound.Direction != 0 }

// verdictOf judges a figure of a soak of a length.
func (f *figure) verdictOf(samples []Sample, length time.Duration) Verdict {
	points := make([]point, len(samples))
	for i := range samples {
		at := time.Duration(samples[i].Seconds * float64(time.Second))
		points[i] = point{at, f.value(&samples[i])}
	}
	return judge(points, length, f.bound)
}
