package transcript

import (
	"errors"
	"fmt"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Trajectory is one run of an agent as a record tells it. Immutable.
type Trajectory struct {
	// Source is the name of the source; Record the number of the record in it, from 1 (of lines: the
	// first one's), Offset the place of its first byte.
	Source         string
	Record, Offset int64
	// ID is the id of the run that the record becomes: made from the name of the source and the
	// content of the record, so that the same record of the same source always has the same.
	ID string
	// Format is what the record was read as.
	Format Format
	// Name is what the record itself calls the run; empty for most.
	Name string
	// Task and Trial are which task was attempted, and which attempt it was. Empty if not told.
	Task, Trial string
	// Reward is what the attempt was worth, nil if not told.
	Reward *float64
	// Exit is how the agent came to its end, in its own words, such as "submitted" or "exit_cost".
	Exit string
	// Agent and Model are who did it; Model is that of entries that name none.
	Agent, Model string
	// Tags are further tags of the run.
	Tags []string
	// Timing says where the times of the entries come from.
	Timing Timing
	// Entries are what happened, in its order.
	Entries []Entry
	// InputTokens, OutputTokens and Cost are what the whole used, as far as no entry says it.
	InputTokens, OutputTokens int64
	Cost                      inmem.Cost
	// Fields are the members of the record but its entries, task_id, trial and reward, as a Map; Null
	// if there are none.
	Fields inmem.Value
	// Orphans counts the results that answer no call.
	Orphans int
}

// Entry is one event of a trajectory: a message, or what a line of JSONL tells.
type Entry struct {
	// Type is the type of the event: "message." and the role, or that of the line.
	Type string
	// Role is who speaks, such as "assistant"; empty for what is no message.
	Role string
	// Payload is the message as it was, with all its fields.
	Payload inmem.Value
	// Time is when it happened, or was over. It never falls from one entry to the next.
	Time time.Time
	// Model is the model that answered; InputTokens, OutputTokens and Cost are what the answer used.
	Model                     string
	InputTokens, OutputTokens int64
	Cost                      inmem.Cost
	// Calls are the tool calls that the entry asks for, Results those that it answers.
	Calls   []Call
	Results []ToolResult

	known bool // the record tells the time

	// What is so after the entry: the number of the newest assistant's entry (-1 for none), how many
	// of those there were, how many tool calls were asked for and of which tool the last one was, and
	// what the agent is doing now.
	turn         int
	turns, asked int64
	lastTool     string
	state        state
}

// state is what an agent is doing.
type state string

const (
	starting state = "starting" // nobody has said anything to it yet
	thinking state = "thinking" // it has to answer
	acting   state = "acting"   // it waits for tools
	waiting  state = "waiting"  // it waits for somebody's word
)

// follow works out what is so after every entry.
func (t *Trajectory) follow() {
	before := Entry{turn: -1, state: starting}
	for i := range t.Entries {
		e := &t.Entries[i]
		e.turn, e.turns, e.asked = before.turn, before.turns, before.asked+int64(len(e.Calls))
		e.lastTool, e.state = before.lastTool, before.state
		if e.Role == "assistant" {
			e.turn = i
			e.turns++
		}
		switch {
		case len(e.Calls) > 0:
			e.state, e.lastTool = acting, e.Calls[len(e.Calls)-1].Tool
		case e.Role == "assistant":
			e.state = waiting
		case e.Role == "system", e.Role == "developer":
		case e.Role != "", len(e.Results) > 0:
			e.state = thinking
		}
		before = *e
	}
}

// Call is a tool call.
type Call struct {
	// ID is the model's id for it, which need not be unique in a trajectory.
	ID string
	// Tool is the name of the tool.
	Tool string
	// Arguments are what the tool was given: a Map where they were JSON, else the text.
	Arguments inmem.Value
	// Answer is the number of the entry that answers it; -1 if none does.
	Answer int
}

// ToolResult is the answer to a tool call.
type ToolResult struct {
	// Entry and Call are which call it answers: Entries[Entry].Calls[Call]; -1 for none.
	Entry, Call int
	// ID and Tool are what the result itself says of the call.
	ID, Tool string
	// Content is the answer.
	Content inmem.Value
	// Error is what went wrong, ErrorType the class of it; see the package comment for how a failure
	// is told. Empty for success.
	Error, ErrorType string
	// Took is how long the tool worked, if the record tells it.
	Took time.Duration
}

// Timing says where the times of a trajectory come from.
type Timing string

// The ways of timing.
const (
	// Recorded: every entry has its time in the record.
	Recorded Timing = "recorded"
	// Partial: some have; the others have that of the entry before.
	Partial Timing = "partial"
	// Durations: no entry has, but how long tools worked is known: the entries follow each other from
	// 1970 on, and only the work of tools takes time.
	Durations Timing = "durations"
	// Synthetic: nothing is known; one entry per second, from 1970 on.
	Synthetic Timing = "synthetic"
)

// TimingOf tells the timing of a run that Import made, by its metadata; Recorded for every other
// run, whose spans have times of their own.
func TimingOf(r *inmem.RunInfo) Timing {
	v, _ := r.Metadata.Lookup("timing")
	if s, err := v.AsString(); err == nil && s != "" {
		return Timing(s)
	}
	return Recorded
}

// tick is the length of a synthetic step.
const tick = time.Second

// setTimes gives every entry a time, so that none falls behind the one before.
func (t *Trajectory) setTimes() {
	known, took := 0, false
	for i := range t.Entries {
		if t.Entries[i].known {
			known++
		}
		for _, r := range t.Entries[i].Results {
			took = took || r.Took > 0
		}
	}
	switch {
	case known == len(t.Entries) && known > 0:
		t.Timing = Recorded
	case known > 0:
		t.Timing = Partial
	case took:
		t.Timing = Durations
	default:
		t.Timing = Synthetic
	}
	at := t.firstTime()
	for i := range t.Entries {
		e := &t.Entries[i]
		switch {
		case t.Timing == Synthetic:
			at = at.Add(tick)
		case t.Timing == Durations:
			at = at.Add(e.took())
		case e.known && e.Time.After(at):
			at = e.Time
		}
		e.Time = at
	}
}

// firstTime is where the clock of a trajectory begins.
func (t *Trajectory) firstTime() time.Time {
	if t.Timing == Recorded || t.Timing == Partial {
		for i := range t.Entries {
			if t.Entries[i].known {
				return t.Entries[i].Time
			}
		}
	}
	return time.Unix(0, 0).UTC()
}

// setTotals leaves to the whole only what no entry tells.
func (t *Trajectory) setTotals() {
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.InputTokens > 0 || e.OutputTokens > 0 {
			t.InputTokens, t.OutputTokens = 0, 0
		}
		if e.Cost > 0 {
			t.Cost = 0
		}
	}
}

// maxWord is the most bytes of what identifies a run, a call or a tool.
const maxWord = 900

// check refuses what no run can hold.
func (t *Trajectory) check() error {
	if len(t.Tags) > maxTags {
		return broken(0, "%d tags, at most %d", len(t.Tags), maxTags)
	}
	words := append([]string{t.Task, t.Trial, t.Agent, t.Model, t.Name}, t.Tags...)
	if err := checkWords(words); err != nil {
		return err
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		words = append(words[:0], e.Type, e.Model)
		for j := range e.Calls {
			words = append(words, e.Calls[j].ID, e.Calls[j].Tool)
		}
		if err := checkWords(words); err != nil {
			return err
		}
	}
	return nil
}

// maxTags is the most tags of a record, so that there is room for our own.
const maxTags = 200

func checkWords(words []string) error {
	for _, w := range words {
		if len(w) > maxWord {
			return fmt.Errorf("%w: the name or id %.40q... has %d bytes, at most %d",
				inmem.ErrTooLarge, w, len(w), maxWord)
		}
	}
	return nil
}

// took is how long the slowest of the entry's tools worked.
func (e *Entry) took() (d time.Duration) {
	for _, r := range e.Results {
		d = max(d, r.Took)
	}
	return d
}

// pair finds for every result the call that it answers: the newest one before it with that id, or
// without an id of that tool, that has no answer yet. Ids need not be unique.
func (t *Trajectory) pair() {
	type place struct{ entry, call int }
	byID := map[string][]place{}
	byTool := map[string][]place{}
	for i := range t.Entries {
		e := &t.Entries[i]
		for j := range e.Results {
			r := &e.Results[j]
			r.Entry, r.Call = -1, -1
			open := byID
			name := r.ID
			if r.ID == "" {
				open, name = byTool, r.Tool
			}
			for n := len(open[name]) - 1; n >= 0 && r.Entry < 0; n-- {
				at := open[name][n]
				open[name] = open[name][:n]
				if c := &t.Entries[at.entry].Calls[at.call]; c.Answer < 0 {
					c.Answer, r.Entry, r.Call = i, at.entry, at.call
				}
			}
			if r.Entry < 0 {
				t.Orphans++
			}
		}
		// Backwards, so that among the calls of one entry the first is answered first.
		for j := len(e.Calls) - 1; j >= 0; j-- {
			c := &e.Calls[j]
			c.Answer = -1
			byTool[c.Tool] = append(byTool[c.Tool], place{i, j})
			if c.ID != "" {
				byID[c.ID] = append(byID[c.ID], place{i, j})
			}
		}
	}
}

// ErrMalformed is what every *RecordError matches.
var ErrMalformed = errors.New("malformed record")

// RecordError says which record of a source is not as it should be. It matches ErrMalformed.
type RecordError struct {
	// Source is the name of the source.
	Source string
	// Record is the number of the record, from 1; of lines, that of the line among those not empty.
	Record int64
	// Offset is where in the source the fault lies, in bytes.
	Offset int64
	// Fatal: no further record of the source can be made out, whatever the options say.
	Fatal bool
	// Err is what is wrong.
	Err error

	_ struct{}
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("%s: record %d, offset %d: %v", e.Source, e.Record, e.Offset, e.Err)
}

// Unwrap implements errors.Is and errors.As.
func (e *RecordError) Unwrap() []error { return []error{ErrMalformed, e.Err} }
