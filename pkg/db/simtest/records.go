package simtest

import (
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The records of runs, directly or in the client's transaction.
var recordKinds = []kind{
	{"record-status", 3, func(e *episode, a Action) {
		d := a.draws()
		what := one(d, "pause", "resume", "resume", "resume", "resume", "resume", "resume", "resume",
			"complete", "fail", "cancel", "archive")
		e.record(a, d, what, func(r inmem.RunRecord) error {
			switch what {
			case "pause":
				return r.Pause(e.ctx)
			case "resume":
				return r.Resume(e.ctx)
			case "complete":
				return r.Complete(e.ctx)
			case "fail":
				return r.Fail(e.ctx, "boom")
			case "cancel":
				return r.Cancel(e.ctx)
			}
			return r.Archive(e.ctx)
		})
	}},
	{"record-tags", 3, func(e *episode, a Action) {
		d := a.draws()
		what, tag := one(d, "add", "remove", "set"), one(d, tags...)
		e.record(a, d, what+" tag "+tag, func(r inmem.RunRecord) error {
			switch what {
			case "add":
				return r.AddTags(e.ctx, tag)
			case "remove":
				return r.RemoveTags(e.ctx, tag)
			}
			return r.SetTags(e.ctx, tag)
		})
	}},
	{"record-metadata", 2, func(e *episode, a Action) {
		d := a.draws()
		v := drawValue(d)
		e.record(a, d, "metadata", func(r inmem.RunRecord) error { return r.SetMetadata(e.ctx, v) })
	}},
	{"record-read", 4, func(e *episode, a Action) {
		d := a.draws()
		name := e.active(d)
		if name == "" {
			return
		}
		e.look(a, "record of "+name, func(s *side) string {
			r := s.runs[name].Record()
			i, err := r.Info(e.ctx)
			return answer(err, "%s %d %d %d up ", infoText(i), i.FirstVersion, i.LastVersion,
				i.Commits) + lines(r.Ancestors(e.ctx), infoText) + " down " +
				lines(r.Children(e.ctx), infoText)
		})
	}},
}

// record changes the record of a drawn run.
func (e *episode) record(a Action, d *args, what string, act func(inmem.RunRecord) error) {
	name := e.active(d)
	if name == "" {
		return
	}
	inside := e.real.txs[a.Client] != nil && d.odds(2)
	e.do(a, describe(name, inside, fmt.Sprintf("record: %s", what)), func(s *side) string {
		r := s.runs[name].Record()
		if inside {
			r = s.txs[a.Client].On(s.runs[name]).Record()
		}
		return word(act(r))
	})
}
