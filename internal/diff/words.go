package diff

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/inmem-db/inmem/internal/terminal"
)

// What the text and the page say in the same words.

const (
	noteWindowed = "long: aligned piece by piece, there may be fewer differences"
	noteCoarse   = "too large to be compared to the last detail"
)

// nouns are what primitives hold: one, and several.
var nouns = map[Primitive][2]string{
	KV: {"key", "keys"}, Extensions: {"extension key", "extension keys"},
	Cells: {"cell", "cells"}, Machines: {"machine", "machines"}, Vectors: {"vector", "vectors"},
	Events: {"event", "events"}, Traces: {"span", "spans"},
}

// several is a number with its noun.
func several(n uint64, p Primitive) string {
	if n == 1 {
		return "1 " + nouns[p][0]
	}
	return fmt.Sprintf("%d %s", n, nouns[p][1])
}

// divergences are where the sides part: first what came first, then the other of the two sequences.
// Of the words that were said and of the tools that were called both are of interest. The very same
// moment is not told twice.
func (r *Report) divergences() []*Divergence {
	if r.First == nil {
		return nil
	}
	other := r.Spans.Divergence
	if r.First.Primitive == Traces {
		other = r.Events.Divergence
	}
	if other == nil || other.VersionA == r.First.VersionA && other.VersionB == r.First.VersionB {
		return []*Divergence{r.First}
	}
	return []*Divergence{r.First, other}
}

// windowed reports whether the steps of a primitive were aligned in windows.
func (r *Report) windowed(p Primitive) bool {
	return p == Events && r.Events.Windowed || p == Traces && r.Spans.Windowed
}

// title says where two sequences part.
func (d *Divergence) title() string {
	if d.Position == 0 {
		return fmt.Sprintf("the %s differ from the first one on", nouns[d.Primitive][1])
	}
	return fmt.Sprintf("the %s part after %s in common", nouns[d.Primitive][1],
		several(d.Position, d.Primitive))
}

// nextStep says how a side goes on.
type nextStep struct {
	op   Op
	text string
	step *Step // nil: it does not
}

// next says how both sides go on.
func (d *Divergence) next() []nextStep {
	sides := []nextStep{{Removed, "a", d.NextA}, {Added, "b", d.NextB}}
	for i := range sides {
		switch s := &sides[i]; {
		case s.step != nil:
			s.text += " goes on with"
		case d.Position == 0:
			s.text += " has none"
		default:
			s.text += " ends here"
		}
	}
	return sides
}

// before says how much of the state differs just before. REQUIRES: d.State is not nil.
func (d *Divergence) before() string {
	at := fmt.Sprintf("just before, a at version %d and b at version %d: ", d.VersionA, d.VersionB)
	if d.State.Differences() == 0 {
		return at + "keys and cells are the same"
	}
	var parts []string
	for _, p := range []Primitive{KV, Extensions, Cells, Machines, Vectors} {
		if n := d.State.Of(p).Differences(); n > 0 {
			parts = append(parts, several(n, p))
		}
	}
	verb := " differ"
	if d.State.Differences() == 1 {
		verb = " differs"
	}
	return at + strings.Join(parts, ", ") + verb
}

// head says of what an entry tells; of keys and cells that stand among others also what they are.
func (e *Entry) head(named bool) string {
	switch {
	case e.A != nil && e.B != nil && e.A.Position != e.B.Position:
		return fmt.Sprintf("%s → #%d", e.A.describe(), e.B.Position)
	case e.A != nil:
		return e.A.describe()
	case e.B != nil:
		return e.B.describe()
	}
	head := ""
	if named {
		head = nouns[e.Primitive][0] + " "
	}
	switch {
	case e.Primitive == Extensions:
		head += keyText(e.Extension) + " "
	case e.Primitive == Vectors && e.Key == "":
		return head + keyText(e.Collection) + " (collection)"
	case e.Primitive == Vectors:
		head += keyText(e.Collection) + " "
	}
	return head + keyText(e.Key)
}

// describe is a step in one line.
func (s *Step) describe() string {
	text := fmt.Sprintf("#%d %s", s.Position, terminal.Clean(s.Type))
	if s.Name != "" {
		text += " " + terminal.Clean(s.Name)
	}
	return text
}

// keyText is a key as it is, or quoted if that could be misread.
func keyText(key string) string {
	plain := func(r rune) bool { return r > ' ' && r != '"' && unicode.IsPrint(r) }
	if key == "" || !utf8.ValidString(key) || strings.IndexFunc(key, func(r rune) bool {
		return !plain(r)
	}) >= 0 {
		return strconv.Quote(key)
	}
	return key
}
