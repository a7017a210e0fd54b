package simtest

import (
	"context"
	"fmt"
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// canceled does something whose context is done, or becomes done meanwhile. Then it fails with that
// and has done nothing, or it has taken place like any other.
func (e *episode) canceled(a Action) {
	d := a.draws()
	name := e.active(d)
	if name == "" {
		return
	}
	how := d.below(4)
	key, v := drawKey(d), drawValue(d)
	act := func(ctx context.Context, s *side) string {
		switch how {
		case 0:
			version, err := s.runs[name].KV().Put(ctx, key, v)
			return answer(err, "version %d", version)
		case 1:
			x, err := s.runs[name].Events().Append(ctx, "message", v)
			return answer(err, "%+v", x)
		case 2:
			return word(s.db.Flush(ctx))
		}
		version, err := s.runs[name].Update(ctx, func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(ctx, key, v)
			return err
		})
		return answer(err, "version %d", version)
	}
	before := e.real.db.Version()
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	got := act(ctx, e.real)
	if got != "canceled" {
		if e.disk.hasFired() && troubled(got) {
			e.tell("%v: way %d -> %s", a, how, got)
			act(e.ctx, e.model) // perhaps it took place
			e.broken(a)
			return
		}
		if e.low && strings.Contains(got, "no space") {
			return
		}
		e.same(a, fmt.Sprintf("way %d, in spite of being canceled", how), got, act(e.ctx, e.model))
		return
	}
	e.tell("%v: way %d -> %s", a, how, got)
	e.count.Faults["canceled"]++
	if e.real.db.Version() != before {
		e.wrong("%v: it was canceled and took version %d", a, e.real.db.Version())
	}
}
