package bars

import (
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// The rows that tell what a view costs over a bare get, by the number of keys.
const (
	views = "rows/begin_read/"
	gets  = "rows/get_uniform/"
)

// Needs says whether Table has a line that a case is measured for: ours, a peer or a limit that it
// is compared with, or another workload of ours beside it.
func Needs(c *measure.Case) bool {
	for _, row := range Table {
		for _, g := range row.Goals {
			if row.Name == c.Name && (isOurs(c.System) || g.comparedWith(c.System)) ||
				isOurs(c.System) && g.beside(row.Name, c.Name) {
				return true
			}
		}
	}
	return false
}

// comparedWith says whether the figure is a ratio to this system, or may be.
func (g Goal) comparedWith(s measure.System) bool {
	switch g.Kind {
	case OfBest:
		return s.Peer
	case OfPebble, FigureOfPebble:
		return s.Name == "pebble"
	case OfLimit, Syncs:
		return s.Limit
	default:
		return false
	}
}

// beside says whether the figure of a row takes another workload of ours too.
func (g Goal) beside(row, workload string) bool {
	switch g.Kind {
	case Cost:
		return workload == g.Other
	case Growth:
		return workload == views+g.Other || workload == gets+g.Other ||
			workload == gets+strings.TrimPrefix(row, views)
	default:
		return false
	}
}

// Missing lists the rows of a table of which not every goal was judged, in its order, by the words
// of the table. Judged is the number of verdicts by the names of the rows.
func Missing(table []Row, judged map[string]int) []string {
	var list []string
	for _, row := range table {
		if judged[row.Name] < len(row.Goals) {
			list = append(list, row.Case)
		}
	}
	return list
}
