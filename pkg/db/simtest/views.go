package simtest

import (
	"errors"
	"fmt"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Views of the past that stay open over steps.
var viewKinds = []kind{
	{"view-open", 5, func(e *episode, a Action) {
		d := a.draws()
		version := e.past(d)
		e.view(a, fmt.Sprintf("view at %d", version), func(s *side) (*inmem.View, error) {
			return s.db.At(e.ctx, version)
		})
	}},
	{"view-open-time", 2, func(e *episode, a Action) {
		d := a.draws()
		at := e.clock().Add(-time.Duration(d.below(100_000)) * time.Millisecond)
		e.view(a, "view at the time "+clock(at), func(s *side) (*inmem.View, error) {
			return s.db.AtTime(e.ctx, at)
		})
	}},
	{"view-close", 3, func(e *episode, a Action) { e.closeView(a) }},
	{"view-run-time", 2, func(e *episode, a Action) {
		d := a.draws()
		name := e.active(d)
		if name == "" {
			return
		}
		at := e.clock().Add(-time.Duration(d.below(100_000)) * time.Millisecond)
		e.look(a, fmt.Sprintf("%s at the time %s", name, clock(at)), func(s *side) string {
			v, err := s.runs[name].AtTime(e.ctx, at)
			if err != nil {
				return word(err)
			}
			h, err := v.StateHash(e.ctx)
			err = errors.Join(err, v.Close())
			return answer(err, "version %d at %s: %v", v.Version(), clock(v.Time()), h)
		})
	}},
}

// view has a client open a view, in the place of the one that it had.
func (e *episode) view(a Action, what string, open func(s *side) (*inmem.View, error)) {
	e.closeView(a)
	e.look(a, what, func(s *side) string {
		v, err := open(s)
		if err != nil {
			return word(err)
		}
		s.views[a.Client] = v
		return fmt.Sprintf("version %d at %s", v.Version(), clock(v.Time()))
	})
	if e.real.views[a.Client] == nil || e.model.views[a.Client] == nil {
		e.closeView(a)
	}
}

func (e *episode) closeView(a Action) {
	for _, s := range []*side{e.real, e.model} {
		if v := s.views[a.Client]; v != nil {
			if err := v.Close(); err != nil {
				e.wrong("%v: %v", a, err)
			}
			s.views[a.Client] = nil
		}
	}
}
