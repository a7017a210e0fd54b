package diff

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// table is what both the text and the page show in rows.
type table struct {
	head []string
	rows [][]string
}

// counts says how many of each there are and differ. What is not there has no row.
func (r *Report) counts() table {
	t := table{head: []string{"", "a", "b", "same", "added", "removed", "changed"}}
	for _, p := range []Primitive{KV, Extensions, Cells, Machines, Vectors, Events, Traces} {
		c := r.countsOf(p)
		if c.A+c.B == 0 && !c.Shared {
			continue
		}
		and := "" // there is more
		if c.Shared {
			and = "+"
		}
		t.rows = append(t.rows, []string{
			nouns[p][1], fmt.Sprint(c.A, and), fmt.Sprint(c.B, and), fmt.Sprint(c.Same, and),
			fmt.Sprint(c.Added), fmt.Sprint(c.Removed), fmt.Sprint(c.Changed),
		})
	}
	return t
}

// countsOf are the counts of any primitive.
func (r *Report) countsOf(p Primitive) *Counts {
	switch p {
	case Events:
		return &r.Events.Counts
	case Traces:
		return &r.Spans.Counts
	}
	return r.State.Of(p)
}

// totals says what the sides came to, and by how much b is more. What neither has has no row.
func (r *Report) totals() table {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	t := table{head: []string{"", "a", "b", "b - a"}}
	a, b, delta := r.A.Totals, r.B.Totals, r.Delta()
	for _, row := range []struct {
		name string
		show func(Totals) string
	}{
		{"commits", func(t Totals) string { return number(t.Commits) }},
		{"input tokens", func(t Totals) string { return number(t.InputTokens) }},
		{"output tokens", func(t Totals) string { return number(t.OutputTokens) }},
		{"cost", func(t Totals) string { return dollars(t.Cost) }},
		{"failed spans", func(t Totals) string { return number(t.Errors) }},
		{"duration", func(t Totals) string { return rounded(t.Duration).String() }},
	} {
		x, y, z, zero := row.show(a), row.show(b), row.show(delta), row.show(Totals{})
		if x == zero && y == zero {
			continue
		}
		if z != zero && !strings.HasPrefix(z, "-") {
			z = "+" + z
		}
		t.rows = append(t.rows, []string{row.name, x, y, z})
	}
	return t
}

// dollars shows an amount in billionths of a dollar, with at least two decimals.
func dollars(n int64) string {
	sign, u := "", uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	decimals := strings.TrimRight(fmt.Sprintf("%09d", u%1e9), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return fmt.Sprintf("%s$%d.%s", sign, u/1e9, decimals)
}

// rounded leaves three digits of a duration, whole seconds of a long one.
func rounded(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d.Abs() >= 1000*unit && unit < time.Second {
		unit *= 10
	}
	return d.Round(unit)
}
