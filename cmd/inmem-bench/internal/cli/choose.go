package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/bars"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// barsOnly asks for what the table of bars has lines for, on request or not, by the systems that it
// compares; "bars/ycsb" for those of them whose names begin so.
const barsOnly = "bars"

// choose keeps the cases that are asked for: by full name or by the parts that a name begins with,
// separated by commas. Points of curves have two names. Nothing asked for means all but the heavy
// ones; those come when their full name is given, with heavy, or with "all".
func choose(plan []measure.Case, asked string, heavy bool) ([]measure.Case, error) {
	wanted := make([]bool, len(plan))
	patterns := strings.Split(asked, ",")
	for _, pattern := range patterns {
		pattern = strings.Trim(strings.TrimSpace(pattern), "/")
		if pattern == "" && len(patterns) > 1 {
			continue // a comma too many
		}
		found := false
		for i := range plan {
			if matches(&plan[i], pattern, heavy) {
				wanted[i], found = true, true
			}
		}
		if !found {
			return nil, unknown(plan, pattern)
		}
	}
	var chosen []measure.Case
	for i, c := range plan {
		if wanted[i] {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-workloads %q names no workload", asked)
	}
	return chosen, nil
}

// matches says whether a pattern asks for a case.
func matches(c *measure.Case, pattern string, heavy bool) bool {
	light := !c.Heavy || heavy
	switch part, ofBars := strings.CutPrefix(pattern+"/", barsOnly+"/"); {
	case ofBars:
		return bars.Needs(c) && strings.HasPrefix(c.Name+"/", part)
	case pattern == "all":
		return true
	case pattern == "":
		return light && !c.Extra
	}
	for _, name := range c.Names() {
		if name == pattern || light && strings.HasPrefix(name, pattern+"/") {
			return true
		}
	}
	return false
}

// unknown names what was probably meant.
func unknown(plan []measure.Case, pattern string) error {
	best, least := "", 0
	var names []string
	for _, c := range plan {
		names = append(names, c.Names()...)
	}
	for _, full := range names {
		parts := strings.Split(full, "/")
		for n := range parts {
			name := strings.Join(parts[:n+1], "/")
			if d := distance(pattern, name); best == "" || d < least {
				best, least = name, d
			}
			// A name without its group: people leave it out.
			if d := distance(pattern, strings.Join(parts[1:n+1], "/")) + 1; n > 0 && d < least {
				best, least = name, d
			}
		}
	}
	return fmt.Errorf("no workload is called %q, the nearest is %q; "+
		"-workloads list prints all", pattern, best)
}

// distance is the number of characters to insert, delete or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// list prints every workload with what it does.
func list(w io.Writer, plan []measure.Case) error {
	group, last := "", ""
	for _, c := range plan {
		if c.Name == last {
			continue // another system's
		}
		last = c.Name
		g, _, _ := strings.Cut(c.Name, "/")
		if group != "" && g != group {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		group = g
		about := c.About
		if c.Heavy {
			about += " (on request)"
		}
		if _, err := fmt.Fprintf(w, "%-37s %s\n", c.Name, about); err != nil {
			return err
		}
	}
	return nil
}
