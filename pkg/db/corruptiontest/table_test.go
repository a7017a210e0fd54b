package corruptiontest

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const stateRestored = "restored"

// states are the columns of the table.
var states = []string{"closed", "killed", "checkpoint", stateRestored}

// page is where the table is, between two marks.
var page = filepath.Join("..", "..", "..", "docs", "durability.md")

const (
	tableBegin = "<!-- the corruption matrix: made by make corruption UPDATE=1 -->\n"
	tableEnd   = "<!-- end of the corruption matrix -->\n"
)

// cell is a place in the table.
type cell struct{ kind, way, region, state string }

// outcomes are the classes that were seen, by cell.
type outcomes struct {
	mu   sync.Mutex
	seen map[cell]map[string]int
}

func newOutcomes() *outcomes { return &outcomes{seen: map[cell]map[string]int{}} }

func (o *outcomes) add(c cell, outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[c] == nil {
		o.seen[c] = map[string]int{}
	}
	o.seen[c][outcome]++
}

// text is a cell of the page: the outcomes by region, told once where they are the same.
func (o *outcomes) text(kind, way, state string) string {
	by, all := map[string]string{}, []string{}
	for _, region := range regions {
		if m := o.seen[cell{kind, way, region, state}]; len(m) > 0 {
			by[region] = strings.Join(sorted(m), ", ")
			all = append(all, region)
		}
	}
	if len(all) == 0 {
		return "-"
	}
	if !slices.ContainsFunc(all, func(r string) bool { return by[r] != by[all[0]] }) {
		return by[all[0]]
	}
	for i, region := range all {
		all[i] = region + ": " + by[region]
	}
	return strings.Join(all, "; ")
}

// lines are the rows of the table, by what they are of.
func (o *outcomes) lines() (rows []string) {
	kinds := map[string]bool{}
	for c := range o.seen {
		kinds[c.kind] = true
	}
	for _, kind := range slices.SortedFunc(maps.Keys(kinds), func(a, b string) int {
		return cmp.Compare(strings.ToLower(a), strings.ToLower(b))
	}) {
		for _, way := range ways {
			row, some := "", false
			for _, state := range states {
				text := o.text(kind, way, state)
				row, some = row+" | "+text, some || text != "-"
			}
			if some {
				rows = append(rows, fmt.Sprintf("| `%s` | %s%s |", kind, way, row))
			}
		}
	}
	return rows
}

// recorded reads the table of the page back.
func recorded(t testing.TB) *outcomes {
	t.Helper()
	data, err := os.ReadFile(page)
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(data), tableBegin)
	require.True(t, ok, "%s has no table", page)
	table, _, _ = strings.Cut(table, tableEnd)
	o := newOutcomes()
	for line := range strings.Lines(table) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if len(row) != 2+len(states) || !strings.HasPrefix(row[0], "`") {
			continue
		}
		for i, text := range row[2:] {
			for part := range strings.SplitSeq(text, "; ") {
				in, outcomes, ok := strings.Cut(part, ": ")
				if !ok {
					in, outcomes = "", part
				}
				for _, region := range regions {
					if in != "" && region != in || outcomes == "-" {
						continue
					}
					for outcome := range strings.SplitSeq(outcomes, ", ") {
						o.add(cell{strings.Trim(row[0], "`"), row[1], region, states[i]}, outcome)
					}
				}
			}
		}
	}
	return o
}

// conclude holds what was seen to the page: a cell with an outcome that is not told there is a
// change of what users were promised. The long form has a summary, and can add to the page what it
// has seen.
func (o *outcomes) conclude(t *testing.T, long bool) {
	t.Helper()
	total := map[string]int{}
	for _, m := range o.seen {
		for outcome, n := range m {
			total[outcome] += n
		}
	}
	told, rows := recorded(t), o.lines()
	if long {
		fmt.Printf("%s\n\n", strings.Join(rows, "\n"))
	}
	for _, outcome := range sorted(total) {
		t.Logf("%6d %s", total[outcome], outcome)
	}
	if os.Getenv("INMEM_CORRUPTION_UPDATE") != "" && !t.Failed() {
		for c, m := range told.seen {
			for outcome := range m {
				o.add(c, outcome)
			}
		}
		data, err := os.ReadFile(page)
		require.NoError(t, err)
		before, rest, ok := strings.Cut(string(data), tableBegin)
		require.True(t, ok)
		_, after, ok := strings.Cut(rest, tableEnd)
		require.True(t, ok)
		table := "\n| File | Damage | " + strings.Join(states, " | ") + " |\n|" +
			strings.Repeat("---|", 2+len(states)) + "\n" + strings.Join(o.lines(), "\n") + "\n\n"
		text := before + tableBegin + table + tableEnd + after
		require.NoError(t, os.WriteFile(page, []byte(text), 0o644))
		return
	}
	for c, m := range o.seen {
		for _, outcome := range sorted(m) {
			if told.seen[c][outcome] == 0 {
				t.Errorf("%v: %s, but %s says %v", c, outcome, page, sorted(told.seen[c]))
			}
		}
	}
}
