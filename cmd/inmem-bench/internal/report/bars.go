package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/bars"
)

// barJSON is one goal of the table of bars. A bar or step that does not exist is null.
type barJSON struct {
	Workload string   `json:"workload"`
	Case     string   `json:"case"`
	Measured string   `json:"measured"` // in words: "1.07 of buntdb"
	Ours     string   `json:"ours"`     // what was measured, for people
	Other    string   `json:"other"`    // what it was compared with, or the unit
	Compared bool     `json:"compared"` // the value is a quotient of the two
	Value    float64  `json:"value"`
	Spread   float64  `json:"spread"`
	CPU      float64  `json:"cpu_ratio,omitempty"`
	AtLeast  bool     `json:"at_least"` // else at most
	Step     *float64 `json:"step"`
	StepMet  bool     `json:"step_met"`
	Bar      *float64 `json:"bar"`
	BarMet   bool     `json:"bar_met"`
}

// barsJSON judges the results by a table.
func (r *Report) barsJSON(table []bars.Row) []barJSON {
	list := []barJSON{}
	orNull := func(limit float64) *float64 {
		if limit < 0 {
			return nil
		}
		return &limit
	}
	for _, v := range bars.Judge(table, r.Results) {
		list = append(list, barJSON{
			Workload: v.Row.Name, Case: v.Row.Case, Measured: v.Text, Ours: v.Ours, Other: v.Other,
			Compared: v.Compared, Value: v.Value, Spread: v.Spread, CPU: v.CPU,
			AtLeast: v.Goal.Kind.AtLeast(),
			Step:    orNull(v.Goal.Step), StepMet: v.Step() == bars.Met,
			Bar: orNull(v.Goal.Bar), BarMet: v.Bar() == bars.Met,
		})
	}
	return list
}

// Bars prints the tables of bars of reports that were saved as JSON, as the runs behind them did,
// and names what the table of bars has besides. Of what several reports hold the last one counts.
func Bars(w io.Writer, saved []io.Reader, s Style) error {
	var b strings.Builder
	var table, footprint []barJSON
	for i, from := range saved {
		var doc document
		if err := json.NewDecoder(from).Decode(&doc); err != nil {
			return fmt.Errorf("read a saved report: %w", err)
		}
		if doc.Schema != Schema {
			return fmt.Errorf("a saved report has schema %d, expected %d", doc.Schema, Schema)
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		doc.heading(&b)
		table = merge(bars.Table, table, doc.Bars)
		footprint = merge(bars.Footprint, footprint, doc.Footprint)
	}
	if len(table)+len(footprint) == 0 {
		b.WriteString("\nNothing of the tables of bars was measured.\n")
		return writeTrimmed(w, b.String())
	}
	barTables(&b, s, table, footprint)
	judged := map[string]int{}
	for i := range table {
		judged[table[i].Workload]++
	}
	missing := bars.Missing(bars.Table, judged)
	if len(missing) == 0 {
		b.WriteString("Every line of the table of bars was measured.\n")
	} else {
		text := fmt.Sprintf("Not measured, or not all of it (%d of %d): %s.", len(missing),
			len(bars.Table), strings.Join(missing, "; "))
		b.WriteString(wrap(text, Width, 0) + "\n")
	}
	return writeTrimmed(w, b.String())
}

// heading says when, how and where a report was made.
func (d *document) heading(b *strings.Builder) {
	fmt.Fprintf(b, "measured %s by: %s\n", d.Started.Format(time.RFC1123),
		strings.Join(d.Command, " "))
	r := Report{Machine: d.Machine}
	for _, line := range [][2]string{
		{"machine", r.machine()}, {"durability", durability(d.Mode, true)},
		{"method", fmt.Sprintf("seed %#x, %d repeats of %s, took %s", d.Seed, d.Repeats,
			time.Duration(d.LengthNS).Round(time.Millisecond),
			time.Duration(d.Seconds*float64(time.Second)).Round(time.Second))},
		{"ended", d.Ended},
	} {
		if line[1] != "" {
			fmt.Fprintf(b, "%-11s%s\n", line[0], wrap(line[1], Width, 11))
		}
	}
}

// merge puts the lines of two reports into the order of a table; of a workload that both have those
// of the second stay.
func merge(table []bars.Row, first, second []barJSON) []barJSON {
	var list []barJSON
	for _, row := range table {
		of := func(from []barJSON) (lines []barJSON) {
			for i := range from {
				if from[i].Workload == row.Name {
					lines = append(lines, from[i])
				}
			}
			return lines
		}
		lines := of(second)
		if len(lines) == 0 {
			lines = of(first)
		}
		list = append(list, lines...)
	}
	return list
}

// barTables writes the tables that have lines.
func barTables(b *strings.Builder, s Style, table, footprint []barJSON) {
	if len(table) > 0 {
		barTable(b, s, "the table of bars", table)
		b.WriteString("\nratio: of the rates within each repeat, the median; cpu: the same by " +
			"processor time per operation,\nbackground work included\n")
	}
	if len(footprint) > 0 {
		barTable(b, s, "the footprint", footprint)
		b.WriteByte('\n')
	}
	passed, failed, met, missed := 0, 0, 0, 0
	for _, list := range [][]barJSON{table, footprint} {
		for i := range list {
			tally(list[i].Step, list[i].StepMet, &passed, &failed)
			tally(list[i].Bar, list[i].BarMet, &met, &missed)
		}
	}
	if met+missed > 0 {
		fmt.Fprintf(b, "First steps: %d passed, %d missed. Bars: %d met, %d missed.\n",
			passed, failed, met, missed)
	}
}

func tally(limit *float64, reached bool, yes, no *int) {
	switch {
	case limit == nil:
	case reached:
		*yes++
	default:
		*no++
	}
}

const barFormat = "%-31s%8s %-17s%6s%5s%6s  %-7s%s%-7s%s"

// barTable writes a line for every goal: what it is, ours, the best peer or what else it is
// compared with, their ratio, the bar, and whether it is met; the last column is the first step.
func barTable(b *strings.Builder, s Style, title string, list []barJSON) {
	b.WriteString("\n" + s.Bold(fmt.Sprintf(barFormat, title, "ours", "beside", "ratio", "±", "cpu",
		"bar", "       ", "step", "")) + "\n")
	last := ""
	for i := range list {
		v := &list[i]
		name := v.Case
		if name == last {
			name = ""
		}
		last = v.Case
		cpu, ratio := "", ""
		if v.CPU > 0 {
			cpu = significant(v.CPU)
		}
		if v.Compared {
			ratio = significant(v.Value)
		}
		fmt.Fprintf(b, "%s\n", fmt.Sprintf(barFormat, name, v.Ours, cut(v.Other, 17), ratio,
			fmt.Sprintf("%.0f%%", 100*v.Spread), cpu, v.limit(v.Bar),
			stateOf(s, v.Bar, v.BarMet, "missed"), v.limit(v.Step),
			stateOf(s, v.Step, v.StepMet, "not")))
	}
}

// limit writes a bar or a step with its direction.
func (v *barJSON) limit(limit *float64) string {
	if limit == nil {
		return ""
	}
	sign := "≤ "
	if v.AtLeast {
		sign = "≥ "
	}
	if *limit >= 10_000 {
		return sign + strconv.FormatFloat(*limit/1000, 'f', -1, 64) + "K"
	}
	return sign + strconv.FormatFloat(*limit, 'f', -1, 64)
}

// stateOf writes met, or the word for what is not, in a column.
func stateOf(s Style, limit *float64, reached bool, not string) string {
	switch {
	case limit == nil:
		return fmt.Sprintf("%-7s", "")
	case reached:
		return s.Green(fmt.Sprintf("%-7s", "met"))
	}
	return s.Red(fmt.Sprintf("%-7s", not))
}
