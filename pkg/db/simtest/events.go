package simtest

import (
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

var eventTypes = []string{"tool_call", "thought", "\x00", "message"}

// The event log.
var eventKinds = []kind{
	{"event-append", 20, func(e *episode, a Action) {
		d := a.draws()
		typ, v := one(d, eventTypes...), drawValue(d)
		e.write(a, d, fmt.Sprintf("append %q %.20v", typ, v), func(p place) string {
			x, err := p.Events().Append(e.ctx, typ, v)
			return answer(err, "%+v", x)
		})
	}},
	{"event-append-many", 4, func(e *episode, a Action) {
		d := a.draws()
		var list []inmem.NewEvent
		for range d.below(20) {
			list = append(list, inmem.NewEvent{Type: one(d, eventTypes...), Payload: drawValue(d)})
		}
		e.write(a, d, fmt.Sprintf("append %d events", len(list)), func(p place) string {
			x, err := p.Events().AppendMany(e.ctx, list)
			return answer(err, "%+v", x)
		})
	}},
	{"event-read", 10, func(e *episode, a Action) {
		d := a.draws()
		seq, typ := uint64(d.below(30)), one(d, eventTypes...)
		o := one(d, inmem.EventOptions{Type: typ}, inmem.EventOptions{Reverse: true, Limit: 5},
			inmem.EventOptions{}, inmem.EventOptions{Type: typ, Reverse: true, Limit: 2})
		e.read(a, d, fmt.Sprintf("event %d, list %+v", seq, o), func(p place) string {
			log := p.Events()
			x, ok, err := log.Get(e.ctx, seq)
			said := answer(err, "%v %s", ok, eventText(x))
			n, err := log.Len(e.ctx)
			said += answer(err, ", %d in all", n)
			head, ok, err := log.Head(e.ctx)
			said += answer(err, ", the last %v %s", ok, eventText(head))
			of, err := log.CountType(e.ctx, typ)
			return said + answer(err, ", %d of %q: ", of, typ) + lines(log.List(e.ctx, o), eventText)
		})
	}},
	{"event-verify", 2, func(e *episode, a Action) {
		d := a.draws()
		e.read(a, d, "verify events", func(p place) string {
			v, err := p.Events().Verify(e.ctx)
			return answer(err, "%+v ", v) + lines(p.Events().Types(e.ctx), func(t string) string {
				return fmt.Sprintf("%q", t)
			})
		})
	}},
}

func eventText(x inmem.Event) string {
	return fmt.Sprintf("%d %q %v %s %x %x %d", x.Seq, x.Type, x.Payload, clock(x.Time), x.Hash[:4],
		x.Previous[:4], x.Version)
}
