package transcript

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The names of what a run holds that Import has made; the package comment has the list.
const (
	rootSpan = "agent"

	cellStatus   = "status"
	cellTurns    = "turns"
	cellCalls    = "tool_calls"
	cellLastTool = "last_tool"

	attrArguments = "gen_ai.tool.call.arguments"
	attrResult    = "gen_ai.tool.call.result"
)

// writer writes trajectories as runs. It is safe for concurrent use.
type writer struct {
	d *inmem.DB
	o *Options
}

// written is what became of one trajectory.
type written struct {
	skipped, redone         bool
	status                  inmem.Status
	messages, events, spans int
	calls, failed, orphans  int
}

// write makes a trajectory a run: the record first, then its entries in their order, and its end in
// the commit of the last one. So a run that has ended is whole, and one that has not is a remnant
// of an import that was broken off: it is deleted and written anew.
func (w *writer) write(ctx context.Context, t *Trajectory) (got written, err error) {
	info, err := w.d.Runs().Get(ctx, t.ID)
	switch {
	case err == nil && !info.Ended.IsZero():
		return written{skipped: true, status: info.Status}, nil
	case err == nil:
		got.redone = true
		err = w.d.DeleteRun(ctx, t.ID)
	case errors.Is(err, inmem.ErrRunNotFound):
		err = nil
	}
	if err != nil {
		return got, err
	}
	begin, err := w.runOptions(t)
	if err != nil {
		return got, err
	}
	run, err := w.d.BeginRun(ctx, begin)
	if err != nil {
		return got, err
	}
	p := plan{t: t, o: w.o, got: &got, model: cmp.Or(t.Model, w.o.Model)}
	for from := 0; ; from = p.next {
		if _, err := run.Update(ctx, func(tx *inmem.Tx) error {
			p.from = from
			return p.commit(ctx, tx)
		}); err != nil {
			return got, w.undo(ctx, t, err)
		}
		p.count()
		if p.next >= len(t.Entries) {
			return got, nil
		}
	}
}

// undo removes what was written of a record that the database refuses: it is as malformed as one
// that cannot be read.
func (w *writer) undo(ctx context.Context, t *Trajectory, err error) error {
	if !errors.Is(err, inmem.ErrTooLarge) && !errors.Is(err, inmem.ErrInvalidArgument) {
		return err
	}
	if gone := w.d.DeleteRun(ctx, t.ID); gone != nil {
		return errors.Join(err, gone)
	}
	return &RecordError{Source: t.Source, Record: t.Record, Offset: t.Offset, Err: err}
}

// runOptions are the run's id, namespace, tags and metadata.
func (w *writer) runOptions(t *Trajectory) (inmem.RunOptions, error) {
	o := inmem.RunOptions{ID: t.ID, Tenant: w.o.Tenant, App: w.o.App, Agent: w.o.Agent}
	if o.Agent == "" {
		o.Agent = t.Agent
	}
	o.Tags = append([]string{"source=" + t.Source}, t.Tags...)
	o.Tags = append(o.Tags, w.o.Tags...)
	m := map[string]any{"source": t.Source, "record": t.Record, "offset": t.Offset,
		"format": string(t.Format), "timing": string(t.Timing)}
	for key, text := range map[string]string{"task_id": t.Task, "trial": t.Trial} {
		if text != "" {
			m[key] = text
			o.Tags = append(o.Tags, key+"="+text)
		}
	}
	for key, text := range map[string]string{"name": t.Name, "exit": clip(t.Exit),
		"model": cmp.Or(t.Model, w.o.Model)} {
		if text != "" {
			m[key] = text
		}
	}
	if t.Reward != nil {
		m["reward"] = *t.Reward
		o.Tags = append(o.Tags, fmt.Sprintf("reward=%g", *t.Reward))
	}
	if t.Orphans > 0 {
		m["orphans"] = t.Orphans
	}
	var err error
	o.Metadata, err = inmem.ValueOf(m)
	return o, err
}

// outcome is the final status of a run, with the reason if it failed.
func (o *Options) outcome(t *Trajectory) (inmem.Status, string) {
	exit := strings.ToLower(t.Exit)
	switch {
	case t.Reward != nil && *t.Reward >= o.PassReward-1e-6:
		return inmem.Completed, ""
	case t.Reward != nil:
		return inmem.Failed, fmt.Sprintf("reward %g, below %g", *t.Reward, o.PassReward)
	case exit == "cancelled", exit == "canceled":
		return inmem.Cancelled, ""
	case exit == "", exit == "completed", exit == "success", strings.HasPrefix(exit, "submitted"):
		return inmem.Completed, ""
	}
	return inmem.Failed, clip(t.Exit)
}

// plan writes the entries of one trajectory, some in each commit. The function of a commit may run
// again, so what it finds out is kept only when the commit has succeeded: see count.
type plan struct {
	t   *Trajectory
	o   *Options
	got *written

	model      string // of entries that name none
	from, next int    // the entries of the commit
	now        written
}

// count keeps what the commit that has just succeeded did.
func (p *plan) count() {
	p.got.messages += p.now.messages
	p.got.events += p.now.events
	p.got.spans += p.now.spans
	p.got.calls += p.now.calls
	p.got.failed += p.now.failed
	p.got.status, p.got.orphans = p.now.status, p.t.Orphans
}

// commit writes the next entries, and with the last ones the end of the run.
func (p *plan) commit(ctx context.Context, tx *inmem.Tx) error {
	p.now = written{}
	if p.from == 0 {
		if err := p.open(ctx, tx); err != nil {
			return err
		}
	}
	p.next = min(p.from+p.o.EntriesPerCommit, len(p.t.Entries))
	events := make([]inmem.NewEvent, 0, p.next-p.from)
	for i := p.from; i < p.next; i++ {
		e := &p.t.Entries[i]
		events = append(events, inmem.NewEvent{Type: e.Type, Payload: e.Payload})
		if err := p.spans(ctx, tx, i); err != nil {
			return err
		}
		if e.Role != "" {
			p.now.messages++
		}
	}
	if _, err := tx.Events().AppendMany(ctx, events); err != nil {
		return err
	}
	p.now.events = len(events)
	if err := p.cells(ctx, tx); err != nil {
		return err
	}
	if p.next == len(p.t.Entries) {
		return p.end(ctx, tx)
	}
	return nil
}

// open writes the span of the whole and the fields of the record.
func (p *plan) open(ctx context.Context, tx *inmem.Tx) error {
	t := p.t
	start, end := t.span()
	s := inmem.Span{ID: rootSpan, Type: inmem.SpanCustom, Name: "trajectory", Start: start, End: end,
		Operation: "invoke_agent", Agent: t.Agent, Model: p.model, InputTokens: t.InputTokens,
		OutputTokens: t.OutputTokens, Cost: t.Cost}
	if err := p.record(ctx, tx, &s); err != nil {
		return err
	}
	for key, v := range t.Fields.Entries() {
		if _, err := tx.KV().Put(ctx, key, v); err != nil {
			return err
		}
	}
	return nil
}

// span is the time from the first entry to the last.
func (t *Trajectory) span() (start, end time.Time) {
	start = t.firstTime()
	if n := len(t.Entries); n > 0 {
		return start, t.Entries[n-1].Time
	}
	return start, start
}

func (p *plan) record(ctx context.Context, tx *inmem.Tx, s *inmem.Span) error {
	p.now.spans++
	_, err := tx.Traces().Record(ctx, *s)
	return err
}

// spans writes the span of an assistant's entry, from the entry before to its own time, and those
// of the calls that the entry answers, from the call to the answer.
func (p *plan) spans(ctx context.Context, tx *inmem.Tx, i int) error {
	t := p.t
	e := &t.Entries[i]
	if e.Role == "assistant" {
		start := e.Time
		if i > 0 {
			start = t.Entries[i-1].Time
		} else if t.Timing == Synthetic {
			start = t.firstTime()
		}
		s := inmem.Span{ID: turnID(i), Parent: rootSpan, Type: inmem.SpanQuery, Name: e.Role,
			Start: start, End: e.Time, Operation: "chat", Model: cmp.Or(e.Model, p.model),
			InputTokens: e.InputTokens, OutputTokens: e.OutputTokens, Cost: e.Cost}
		if err := p.record(ctx, tx, &s); err != nil {
			return err
		}
	}
	for j := range e.Results {
		if r := &e.Results[j]; r.Entry >= 0 {
			if err := p.call(ctx, tx, r.Entry, r.Call, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// call writes the span of a call: over if there is a result, open if not.
func (p *plan) call(ctx context.Context, tx *inmem.Tx, entry, call int, r *ToolResult) error {
	asked := &p.t.Entries[entry]
	c := &asked.Calls[call]
	s := inmem.Span{ID: fmt.Sprintf("%s-call-%03d", turnID(entry), call), Parent: p.parent(entry),
		Type: inmem.SpanToolCall, Name: c.Tool, ToolCallID: c.ID, Start: asked.Time}
	if asked.Role != "assistant" {
		s.InputTokens, s.OutputTokens, s.Cost = asked.InputTokens, asked.OutputTokens, asked.Cost
	}
	attributes := map[string]inmem.Value{attrArguments: c.Arguments}
	if r != nil {
		attributes[attrResult] = r.Content
		s.Error, s.ErrorType = r.Error, r.ErrorType
	}
	var err error
	if s.Attributes, err = codec.Map(attributes); err != nil {
		return err
	}
	p.now.calls++
	if s.Failed() {
		p.now.failed++
	}
	if r != nil {
		s.End = p.t.Entries[c.Answer].Time
		return p.record(ctx, tx, &s)
	}
	p.now.spans++
	_, err = tx.Traces().Start(ctx, s)
	return err
}

// parent is the id of the span under which the calls of an entry lie: that of the newest
// assistant's entry up to it.
func (p *plan) parent(entry int) string {
	if turn := p.t.Entries[entry].turn; turn >= 0 {
		return turnID(turn)
	}
	return rootSpan
}

func turnID(entry int) string { return fmt.Sprintf("msg-%06d", entry) }

// cells writes the cells that the commit's entries have changed.
func (p *plan) cells(ctx context.Context, tx *inmem.Tx) error {
	if p.next == p.from {
		return nil
	}
	e, before := &p.t.Entries[p.next-1], &Entry{}
	if p.from > 0 {
		before = &p.t.Entries[p.from-1]
	}
	store := func(name string, v, old inmem.Value) error {
		if v == old && p.from > 0 {
			return nil
		}
		_, err := tx.Cell(name).Store(ctx, v)
		return err
	}
	if err := store(cellTurns, inmem.Int(e.turns), inmem.Int(before.turns)); err != nil {
		return err
	}
	if err := store(cellCalls, inmem.Int(e.asked), inmem.Int(before.asked)); err != nil {
		return err
	}
	if e.lastTool != before.lastTool {
		if _, err := tx.Cell(cellLastTool).Store(ctx, inmem.String(e.lastTool)); err != nil {
			return err
		}
	}
	if p.next == len(p.t.Entries) {
		return nil // the end writes the status
	}
	return store(cellStatus, inmem.String(string(e.state)), inmem.String(string(before.state)))
}

// end writes the calls that nobody answered, as open spans, and ends the run.
func (p *plan) end(ctx context.Context, tx *inmem.Tx) error {
	for i := range p.t.Entries {
		for j := range p.t.Entries[i].Calls {
			if p.t.Entries[i].Calls[j].Answer < 0 {
				if err := p.call(ctx, tx, i, j, nil); err != nil {
					return err
				}
			}
		}
	}
	status, reason := p.o.outcome(p.t)
	p.now.status = status
	if _, err := tx.Cell(cellStatus).Store(ctx, inmem.String(status.String())); err != nil {
		return err
	}
	switch status {
	case inmem.Completed:
		return tx.Record().Complete(ctx)
	case inmem.Cancelled:
		return tx.Record().Cancel(ctx)
	}
	return tx.Record().Fail(ctx, reason)
}
