package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// phases is the agent's state machine. It is stored with the run: no step can be taken twice, and
// none out of turn, whoever takes up the run.
var phases = inmem.Machine{
	Initial: "planning",
	Transitions: []inmem.Transition{
		{From: "planning", Event: "planned", To: "acting"},
		{From: "acting", Event: "called", To: "reflecting"},
		{From: "reflecting", Event: "again", To: "acting"},
		{From: "reflecting", Event: "done", To: "finished"},
	},
	Terminal: []string{"finished"},
}

const (
	phaseCell = "phase"
	rootSpan  = "agent"
)

// agent works on one run. All that it knows is in the run.
type agent struct {
	run   *inmem.Run
	tools map[string]tool
	out   io.Writer
}

// take begins a run, or takes one up again.
func take(ctx context.Context, d *inmem.DB, id, goal string) (*agent, error) {
	run, err := d.Run(ctx, id)
	if id == "" || errors.Is(err, inmem.ErrRunNotFound) {
		run, err = d.BeginRun(ctx, inmem.RunOptions{ID: id, Agent: "planner",
			Tags: []string{"example"}})
	}
	if err != nil {
		return nil, err
	}
	a := &agent{run: run}
	started, err := run.Cell(phaseCell).Exists(ctx)
	if started || err != nil {
		return a, err
	}
	// Everything that a fresh run needs, in one commit: a kill leaves all of it or nothing.
	_, err = run.Update(ctx, func(tx *inmem.Tx) error {
		if _, err := tx.KV().Put(ctx, "goal", inmem.String(goal)); err != nil {
			return err
		}
		if _, err := tx.Cell(phaseCell).Define(ctx, phases); err != nil {
			return err
		}
		if _, err := tx.Cell(phaseCell).Init(ctx, inmem.String(phases.Initial)); err != nil {
			return err
		}
		_, err := tx.Traces().Start(ctx, inmem.Span{ID: rootSpan, Type: inmem.SpanCustom,
			Name: "find " + goal, Agent: "planner"})
		return err
	})
	return a, err
}

// work takes one step after the other until the run is finished.
func (a *agent) work(ctx context.Context) error {
	for {
		phase, err := inmem.CellOf[string](a.run, phaseCell).Load(ctx)
		if err != nil {
			return err
		}
		switch phase.Value {
		case "planning":
			err = a.plan(ctx)
		case "acting":
			err = a.act(ctx)
		case "reflecting":
			err = a.reflect(ctx)
		default:
			return a.finish(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// plan asks the model what to do, and commits its answer with all that follows from it.
func (a *agent) plan(ctx context.Context) error {
	goal, _, err := inmem.Get[string](ctx, a.run.KV(), "goal")
	if err != nil {
		return err
	}
	p := plan(goal)
	_, err = a.run.Update(ctx, func(tx *inmem.Tx) error {
		if err := a.record(ctx, tx, "plan", inmem.SpanThought, "plan", p); err != nil {
			return err
		}
		if _, err := inmem.Put(ctx, tx.KV(), "plan", p.Calls); err != nil {
			return err
		}
		_, err := tx.Cell(phaseCell).Fire(ctx, "planned")
		return err
	})
	a.say(err, "plan: %s", p.Text)
	return err
}

// act calls the next tool. Its span is open while it runs, so a kill in between can be seen; the
// result, the end of the span and the next phase are one commit.
func (a *agent) act(ctx context.Context) error {
	calls, step, err := a.position(ctx)
	if err != nil {
		return err
	}
	c := calls[step]
	span := fmt.Sprintf("call-%d", step)
	_, err = a.run.Traces().Start(ctx, inmem.Span{ID: span, Parent: rootSpan, Name: c.Tool,
		Type: inmem.SpanToolCall, Tags: []string{"tool:" + c.Tool}, ToolCallID: span})
	if errors.Is(err, inmem.ErrExists) {
		fmt.Fprintf(a.out, "      %s was interrupted, calling it again\n", c.Tool)
	} else if err != nil {
		return err
	}
	result, err := a.tools[c.Tool](ctx, c.Args)
	if err != nil {
		return err
	}
	_, err = a.run.Update(ctx, func(tx *inmem.Tx) error {
		payload, err := inmem.ValueOf(map[string]string{"tool": c.Tool, "args": c.Args,
			"result": result})
		if err != nil {
			return err
		}
		if _, err := tx.Events().Append(ctx, "tool_result", payload); err != nil {
			return err
		}
		if _, err := tx.KV().Put(ctx, "result/"+c.Tool, inmem.String(result)); err != nil {
			return err
		}
		if err := tx.Traces().End(ctx, span, inmem.SpanEnd{}); err != nil {
			return err
		}
		_, err = tx.Cell(phaseCell).Fire(ctx, "called")
		return err
	})
	a.say(err, "call: %s %s", c.Tool, result)
	return err
}

// position is the plan, and the first of its steps that has no result.
func (a *agent) position(ctx context.Context) (calls []call, step int, err error) {
	kv := a.run.KV()
	if calls, _, err = inmem.Get[[]call](ctx, kv, "plan"); err != nil {
		return nil, 0, err
	}
	step, err = kv.Count(ctx, inmem.ScanOptions{Prefix: "result/"})
	return calls, step, err
}

// reflect asks the model whether there is more to do.
func (a *agent) reflect(ctx context.Context) error {
	calls, _, err := a.position(ctx)
	if err != nil {
		return err
	}
	results := map[string]string{}
	for pair, err := range a.run.KV().Scan(ctx, inmem.ScanOptions{Prefix: "result/"}) {
		if err != nil {
			return err
		}
		if results[pair.Key], err = pair.Value.AsString(); err != nil {
			return err
		}
	}
	r := reflect(results, len(calls))
	event := "again"
	if r.Done {
		event = "done"
	}
	_, err = a.run.Update(ctx, func(tx *inmem.Tx) error {
		name := fmt.Sprintf("reflect-%d", len(results))
		if err := a.record(ctx, tx, name, inmem.SpanDecision, event, r); err != nil {
			return err
		}
		_, err := tx.Cell(phaseCell).Fire(ctx, event)
		return err
	})
	a.say(err, "look: %s", r.Text)
	return err
}

// record writes what the model answered: an event, for whoever replays the run, and a span.
func (a *agent) record(ctx context.Context, tx *inmem.Tx, id string, t inmem.SpanType, name string,
	said answer,
) error {
	if _, err := tx.Events().Append(ctx, "model_answer", inmem.String(said.Text)); err != nil {
		return err
	}
	_, err := tx.Traces().Record(ctx, inmem.Span{ID: id, Parent: rootSpan, Type: t, Name: name,
		Model: modelName, InputTokens: said.In, OutputTokens: said.Out,
		Cost: inmem.Cost(said.In*nanoPerInput + said.Out*nanoPerOutput)})
	return err
}

// finish ends the root span and the run in one commit. A run that was finished before stays as it
// is.
func (a *agent) finish(ctx context.Context) error {
	info, err := a.run.Info(ctx)
	if err != nil || info.Status != inmem.Active {
		return err
	}
	_, err = a.run.Update(ctx, func(tx *inmem.Tx) error {
		if err := tx.Traces().End(ctx, rootSpan, inmem.SpanEnd{}); err != nil {
			return err
		}
		return tx.Record().Complete(ctx)
	})
	return err
}

// say tells of a step that was committed.
func (a *agent) say(err error, format string, args ...any) {
	if err == nil {
		fmt.Fprintf(a.out, format+"\n", args...)
	}
}
