package simtest

import (
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// What tells of the past: replay, diff, watch, hashes.
var historyKinds = []kind{
	{"replay", 3, func(e *episode, a Action) {
		d := a.draws()
		name := e.active(d)
		if name == "" {
			return
		}
		o := inmem.ReplayOptions{
			Values:  one(d, inmem.NewValues, inmem.OldAndNewValues, inmem.NoValues),
			OwnOnly: d.odds(3), FromEarliest: d.odds(3), To: e.past(d),
		}
		e.look(a, fmt.Sprintf("replay %s %+v", name, o), func(s *side) string {
			return lines(s.runs[name].Replay(e.ctx, o), commitText)
		})
	}},
	{"diff", 2, func(e *episode, a Action) {
		d := a.draws()
		x, y := e.active(d), e.active(d)
		if x == "" {
			return
		}
		v, w := e.past(d), e.past(d)
		e.look(a, fmt.Sprintf("diff of %s at %d and %s at %d", x, v, y, w), func(s *side) string {
			r, err := s.db.Diff(e.ctx, inmem.Point{Run: s.runs[x], Version: v},
				inmem.Point{Run: s.runs[y], Version: w}, inmem.DiffOptions{})
			if err != nil {
				return word(err)
			}
			return r.Text()
		})
	}},
	{"watch", 5, func(e *episode, a Action) {
		if err := e.engine.Flush(e.ctx); err != nil { // else the real one may tell less
			e.tell("%v: flush: %v", a, err)
			if e.disk.hasFired() {
				e.broken(a)
			} else {
				e.wrong("%v: flush: %v", a, err)
			}
			return
		}
		from := e.watch[a.Client]
		e.look(a, fmt.Sprintf("watch from %d on", from), func(s *side) string {
			return lines(s.db.Watch(e.ctx, inmem.WatchOptions{From: from}), commitText)
		})
		e.watch[a.Client] = e.engine.Durable() + 1
	}},
	{"watch-run", 3, func(e *episode, a Action) {
		d := a.draws()
		name := e.active(d)
		if name == "" || e.engine.Flush(e.ctx) != nil {
			return
		}
		o := inmem.WatchOptions{From: e.past(d), Values: one(d, inmem.NewValues, inmem.NoValues)}
		switch d.below(3) {
		case 0:
			o.Prefix = "p/"
		case 1:
			o.EventTypes = []string{"thought"}
		}
		e.look(a, fmt.Sprintf("watch %s %+v", name, o), func(s *side) string {
			return lines(s.runs[name].Watch(e.ctx, o), commitText)
		})
	}},
	{"version-at", 1, func(e *episode, a Action) {
		at := e.clock()
		e.look(a, "version at "+clock(at), func(s *side) string {
			v, err := s.db.VersionAt(e.ctx, at)
			return answer(err, "%d", v)
		})
	}},
	{"compare-now", 2, func(e *episode, a Action) { e.compare(a.String(), 0) }},
	{"compare-past", 4, func(e *episode, a Action) {
		if at := e.past(a.draws()); at > 0 {
			e.compare(a.String(), at)
		}
	}},
}

func commitText(c inmem.Commit) string {
	said := fmt.Sprintf("%d #%d %s %s %s %v %v:", c.Version, c.Number, clock(c.Time),
		clock(c.Origin.Time), c.Run, c.State, c.Deleted)
	for i := range c.Changes {
		x := &c.Changes[i]
		v, err := x.Value()
		said += fmt.Sprintf(" %s %s", x, answer(err, "%v", v))
		if old, had, err := x.Old(); had || err != nil {
			said += answer(err, " was %v", old)
		}
	}
	return said
}
