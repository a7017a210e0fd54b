package bars

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/cmd/internal/show"
)

// Verdict is one goal with what was measured.
type Verdict struct {
	Row  Row
	Goal Goal
	// Value is the figure, Spread half the distance between the extremes of the repeats as a share
	// of it.
	Value, Spread float64
	// Text is the figure in words: "1.07 of buntdb". Ours and Other are what was compared, Ours
	// alone what was measured, with its unit in Other, where nothing was.
	Text, Ours, Other string
	// Compared says that Value is a quotient.
	Compared bool
	// CPU is the same ratio by processor time per operation, which others on the machine cannot
	// disturb; 0 if it is no ratio.
	CPU float64
}

// Judge compares the results of the first system that is neither a peer nor a limit with a table:
// Table or Footprint. Goals whose figures were not all measured are left out.
func Judge(table []Row, all []measure.Result) []Verdict {
	var list []Verdict
	for _, row := range table {
		ours := find(all, row.Name, isOurs)
		if ours == nil {
			continue
		}
		for _, g := range row.Goals {
			v := Verdict{Row: row, Goal: g}
			if v.measure(ours, all) {
				list = append(list, v)
			}
		}
	}
	return list
}

func isOurs(s measure.System) bool  { return !s.Peer && !s.Limit }
func isLimit(s measure.System) bool { return s.Limit }

func named(name string) func(measure.System) bool {
	return func(s measure.System) bool { return s.Name == name }
}

func find(all []measure.Result, name string, which func(measure.System) bool) *measure.Result {
	for i := range all {
		if all[i].Name == name && which(all[i].System) && len(all[i].Samples) > 0 {
			return &all[i]
		}
	}
	return nil
}

// measure fills in the figure; false if it cannot be told.
func (v *Verdict) measure(ours *measure.Result, all []measure.Result) bool {
	switch v.Goal.Kind {
	case OfBest:
		return v.ratio(ours, ours.Best(all))
	case OfPebble:
		return v.ratio(ours, find(all, ours.Name, named("pebble")))
	case OfLimit:
		return v.ratio(ours, find(all, ours.Name, isLimit))
	case Committed:
		ok := v.metric(ours, "committed", "")
		// Never rounded up: only all is 100 %.
		v.Ours = fmt.Sprintf("%.1f", math.Floor(v.Value*10)/10)
		v.Other = "% of attempts commit"
		v.Text = v.Ours + " " + v.Other
		return ok
	case Allocations:
		return v.alone(ours.Allocs(), "allocations")
	case Millis:
		seconds := ours.Per(func(s *measure.Sample) float64 { return s.Elapsed.Seconds() / ops(s) })
		return v.alone(scale(seconds, 1000), "ms")
	case Micros:
		p50 := ours.Per(func(s *measure.Sample) float64 {
			return float64(s.Latency.Quantile(.5)) / float64(time.Microsecond)
		})
		return v.alone(p50, "us")
	case Syncs:
		return v.syncs(ours, find(all, ours.Name, isLimit))
	case Cost:
		other := find(all, v.Goal.Other, isOurs)
		if other == nil {
			return false
		}
		if cpu, ok := other.CPURatioTo(ours); ok {
			v.CPU = cpu.Median
		}
		cost, ok := other.RatioTo(ours)
		v.compare(show.Rate(ours.Rate().Median), path.Base(other.Name)+" "+
			show.Rate(other.Rate().Median))
		return ok && v.set(cost, "%s times the cost of "+lastOf(other.Name))
	case Growth:
		return v.growth(ours, all)
	case Figure:
		return v.metric(ours, v.Goal.Other, "%s "+v.Goal.Other)
	case FigureOfPebble:
		return v.figureOfPebble(ours, find(all, ours.Name, named("pebble")))
	}
	return false
}

func ops(s *measure.Sample) float64 { return float64(max(s.Ops, 1)) }

func scale(s measure.Stat, by float64) measure.Stat {
	return measure.Stat{Median: s.Median * by, Min: s.Min * by, Max: s.Max * by}
}

// set takes a figure over, and words that hold it.
func (v *Verdict) set(s measure.Stat, words string) bool {
	v.Value, v.Spread = s.Median, s.Spread()
	v.Text = fmt.Sprintf(words, number(s.Median))
	return true
}

// alone takes a figure over that is compared with nothing.
func (v *Verdict) alone(s measure.Stat, unit string) bool {
	v.Ours, v.Other = number(s.Median), unit
	return v.set(s, "%s "+unit)
}

// compare notes both sides of a quotient.
func (v *Verdict) compare(ours, other string) { v.Ours, v.Other, v.Compared = ours, other, true }

// lastOf is a workload's name without its group: "kv_put", "fork/1k".
func lastOf(name string) string {
	parts := strings.Split(name, "/")
	if last := parts[len(parts)-1]; len(parts) > 2 {
		return parts[len(parts)-2] + "/" + last
	}
	return parts[len(parts)-1]
}

// number writes a figure with as many digits as it is worth.
func number(f float64) string {
	switch {
	case f >= 99.95:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case f >= 9.995:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

func (v *Verdict) ratio(ours, other *measure.Result) bool {
	if other == nil {
		return false
	}
	if cpu, ok := ours.CPURatioTo(other); ok {
		v.CPU = cpu.Median
	}
	ratio, ok := ours.RatioTo(other)
	v.compare(show.Rate(ours.Rate().Median), other.System.Name+" "+show.Rate(other.Rate().Median))
	return ok && v.set(ratio, "%s of "+other.System.Name)
}

func metricOf(r *measure.Result, name string) (float64, bool) {
	for _, m := range r.Metrics() {
		if m.Name == name {
			return m.Value, true
		}
	}
	return 0, false
}

func (v *Verdict) metric(r *measure.Result, name, words string) (ok bool) {
	v.Value, ok = metricOf(r, name)
	if words != "" {
		v.Ours, v.Other = number(v.Value), name
		v.Text = fmt.Sprintf(words, v.Ours)
	}
	return ok
}

func (v *Verdict) figureOfPebble(ours, pebble *measure.Result) bool {
	if pebble == nil {
		return false
	}
	a, found := metricOf(ours, v.Goal.Other)
	b, alsoFound := metricOf(pebble, v.Goal.Other)
	if !found || !alsoFound || b == 0 {
		return false
	}
	v.Value = a / b
	v.compare(number(a), "pebble "+number(b)+" bytes")
	v.Text = fmt.Sprintf("%s of pebble's bytes", number(v.Value))
	return true
}

// syncs puts the slowest hundredth beside one sync of the raw log.
func (v *Verdict) syncs(ours, raw *measure.Result) bool {
	if raw == nil {
		return false
	}
	sync := raw.Latency().Quantile(.5)
	p99 := ours.Latency().Quantile(.99)
	v.Value = float64(p99) / float64(max(sync, 1))
	v.compare(show.Duration(p99), "sync "+show.Duration(sync))
	v.Text = fmt.Sprintf("p99 is %s syncs", number(v.Value))
	return true
}

// growth says whether beginning a view depends on the number of keys: what a view of one get costs
// over a bare get, here and in the row of another size.
func (v *Verdict) growth(ours *measure.Result, all []measure.Result) bool {
	cost := func(size string) (time.Duration, bool) {
		view := find(all, views+size, isOurs)
		get := find(all, gets+size, isOurs)
		if view == nil || get == nil {
			return 0, false
		}
		return view.Latency().Quantile(.5) - get.Latency().Quantile(.5), true
	}
	here, ok := cost(strings.TrimPrefix(ours.Name, views))
	there, alsoOK := cost(v.Goal.Other)
	if !ok || !alsoOK {
		return false
	}
	v.Value = float64(max(here, 1)) / float64(max(there, 1))
	v.compare(show.Duration(here), "at "+v.Goal.Other+" "+show.Duration(there))
	v.Text = fmt.Sprintf("a begin costs %s of that at %s", number(v.Value), v.Goal.Other)
	return true
}
