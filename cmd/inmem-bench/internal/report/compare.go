package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/bars"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// systems lists what was measured: ours, the peers, the limits.
func (r *Report) systems() []measure.System {
	var list []measure.System
	for i := range r.Results {
		s := r.Results[i].System
		if !slices.ContainsFunc(list, func(o measure.System) bool { return o.Name == s.Name }) {
			list = append(list, s)
		}
	}
	rank := func(s measure.System) int {
		switch {
		case s.Limit:
			return 2
		case s.Peer:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b measure.System) int { return rank(a) - rank(b) })
	return list
}

// contested lists the workloads that a peer did, in order.
func (r *Report) contested() []string {
	var list []string
	for i := range r.Results {
		name := r.Results[i].Name
		peer := r.Results[i].System.Peer
		if peer && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// of is the result of one system in one workload, nil if it has none.
func (r *Report) of(name, system string) *measure.Result {
	for i := range r.Results {
		if r.Results[i].Name == name && r.Results[i].System.Name == system {
			return &r.Results[i]
		}
	}
	return nil
}

// HasPeers says whether there is anything to compare.
func (r *Report) HasPeers() bool { return len(r.contested()) > 0 }

// Comparison writes the rates of all systems side by side, if there are peers, the curves, and the
// bars with what is met, if there are any for what was measured.
func (r *Report) Comparison(w io.Writer, s Style) error {
	var b strings.Builder
	if r.HasPeers() {
		b.WriteByte('\n')
		r.sideBySide(&b, s)
	}
	r.growthTables(&b, s)
	barTables(&b, s, r.barsJSON(bars.Table), r.barsJSON(bars.Footprint))
	return writeTrimmed(w, b.String())
}

func (r *Report) sideBySide(b *strings.Builder, s Style) {
	systems := r.systems()
	header := fmt.Sprintf("%-28s", "per second, medians")
	for _, sys := range systems {
		header += fmt.Sprintf("%9s", sys.Name)
	}
	b.WriteString(s.Bold(header) + "\n")
	for _, name := range r.contested() {
		line := fmt.Sprintf("%-28s", cut(name, 28))
		best := r.bestOf(name)
		for _, sys := range systems {
			cell := "-"
			if res := r.of(name, sys.Name); res != nil {
				cell = Rate(res.Rate().Median)
			}
			text := fmt.Sprintf("%9s", cell)
			if sys.Name == best {
				text = s.Bold(text)
			}
			line += text
		}
		b.WriteString(line + "\n")
	}
}

// bestOf names the system with the highest rate that is no limit.
func (r *Report) bestOf(name string) string {
	best, most := "", 0.0
	for i := range r.Results {
		res := &r.Results[i]
		if rate := res.Rate().Median; res.Name == name && !res.System.Limit && rate > most {
			best, most = res.System.Name, rate
		}
	}
	return best
}
