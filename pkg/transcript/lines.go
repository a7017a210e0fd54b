package transcript

import (
	"container/list"
	"fmt"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The types of lines that mean more than an event; see the package comment for the schema.
const (
	lineStart   = "run.start"
	lineEnd     = "run.end"
	lineMessage = "message"
	lineCall    = "tool_call"
	lineResult  = "tool_result"
)

// line is one line of JSONL.
type line struct {
	number, offset int64
	size           int
	run            string
	typ            string
	n              node
	text           []byte // as it lies in the source
}

// readLine reads what every line has.
func readLine(x raw) (line, error) {
	n, err := parseJSON(x.data)
	if err != nil {
		return line{}, err
	}
	if n.kind != isObject {
		return line{}, broken(n.at, "found %v, expected an event", n.kind)
	}
	l := line{number: x.number, offset: x.offset, size: len(x.data), n: n,
		run: n.first("run", "run_id").word(), typ: n.get("type").str()}
	switch {
	case l.typ == "" && n.get("role") != nil:
		l.typ = lineMessage
	case l.typ == "":
		return line{}, broken(n.at, "the event has no type")
	}
	return l, nil
}

// readLines reads the lines of one run. Offsets of errors are those in the source.
func readLines(lines []line) (*Trajectory, error) {
	t := &Trajectory{Format: JSONL, Name: lines[0].run}
	for i := range lines {
		l := &lines[i]
		e, err := t.readEvent(l)
		if err != nil {
			return nil, &RecordError{Record: l.number, Offset: l.offset + place(err), Err: err}
		}
		t.Entries = append(t.Entries, e)
	}
	return t, nil
}

// readEvent reads one line as an entry, and what it says of the run as a whole.
func (t *Trajectory) readEvent(l *line) (Entry, error) {
	n := &l.n
	if l.typ == lineMessage || strings.HasPrefix(l.typ, lineMessage+".") && n.get("role") != nil {
		return readMessage(n)
	}
	e := Entry{Type: l.typ}
	if err := e.readCommon(n); err != nil {
		return e, err
	}
	switch l.typ {
	case lineStart, lineEnd:
		name, reward := t.Name, t.Reward
		t.readHead(n)
		if t.Name = name; t.Reward == nil {
			t.Reward = reward
		}
		if l.typ == lineEnd {
			t.readEnd(n)
		}
		e.InputTokens, e.OutputTokens, e.Cost = 0, 0, 0 // of the whole, not of the entry
	case lineCall:
		return e, e.addCall(n)
	case lineResult:
		r := ToolResult{ID: n.first("tool_call_id", "call_id", "id").str(), Tool: n.get("name").str()}
		if err := r.read(n, n.first("content", "result", "output")); err != nil {
			return e, err
		}
		e.Results = []ToolResult{r}
	}
	return e, nil
}

// readEnd reads how the run ended.
func (t *Trajectory) readEnd(n *node) {
	status := n.get("status").str()
	if reason := n.get("error").word(); reason != "" {
		status = strings.TrimSpace(status + ": " + reason)
	}
	if status != "" {
		t.Exit = status
	}
}

// grouper gathers the lines of runs, which may lie between each other. A run is whole when its line
// run.end has come, or the source has ended; and when limit bytes are held, the run that was silent
// for the longest time is. A line of a run that is whole is malformed.
//
// Invariant: held is the sum of the sizes of all lines in silent, which lists the open runs, the
// one that was silent for the longest time first; open has its elements by name.
type grouper struct {
	limit, held int
	silent      list.List // of *openRun
	open        map[string]*list.Element
	whole       map[[16]byte]struct{} // digests of the names of runs that were given out
}

// openRun are the lines of a run so far.
type openRun struct {
	name  string
	lines []line
	size  int
}

func newGrouper(limit int) *grouper {
	return &grouper{limit: limit, open: map[string]*list.Element{}, whole: map[[16]byte]struct{}{}}
}

// add takes a line and returns the runs that are whole by that.
func (g *grouper) add(l line) (whole [][]line, err error) {
	if _, late := g.whole[shortDigest([]byte(l.run))]; late {
		return nil, broken(l.n.at, "the run %.100q had ended before this line", l.run)
	}
	e := g.open[l.run]
	if e == nil {
		e = g.silent.PushBack(&openRun{name: l.run})
		g.open[l.run] = e
	}
	g.silent.MoveToBack(e)
	r := e.Value.(*openRun)
	r.lines = append(r.lines, l)
	r.size += l.size
	g.held += l.size
	if r.size > g.limit {
		g.take(e)
		return nil, fmt.Errorf("%w: the run %.100q has more than %d bytes", inmem.ErrTooLarge, l.run,
			g.limit)
	}
	if l.typ == lineEnd {
		whole = append(whole, g.take(e))
	}
	for g.held > g.limit {
		whole = append(whole, g.take(g.silent.Front()))
	}
	return whole, nil
}

// take ends a run and returns its lines.
func (g *grouper) take(e *list.Element) []line {
	r := g.silent.Remove(e).(*openRun)
	g.held -= r.size
	delete(g.open, r.name)
	g.whole[shortDigest([]byte(r.name))] = struct{}{}
	return r.lines
}

// rest returns the runs that were not ended, in the order of their last lines.
func (g *grouper) rest() (whole [][]line) {
	for g.silent.Len() > 0 {
		whole = append(whole, g.take(g.silent.Front()))
	}
	return whole
}
