package simtest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// What keeps a database in order, and carries it elsewhere.
var upkeepKinds = []kind{
	{"flush", 6, func(e *episode, a Action) {
		newest := e.real.db.Version()
		e.do(a, "flush", func(s *side) string { return word(s.db.Flush(e.ctx)) })
		if e.failure == nil && !e.disk.hasFired() && e.engine.Durable() < newest &&
			e.real.db.Version() >= newest {
			e.wrong("%v: durable is %d, flushed was %d", a, e.engine.Durable(), newest)
		}
	}},
	{"sweep", 4, func(e *episode, a Action) {
		e.do(a, "sweep", func(s *side) string { return word(s.sweep(e.ctx)) })
	}},
	{"retention-set", 2, func(e *episode, a Action) {
		d := a.draws()
		t := inmem.RetentionTarget{Primitive: one(d, 0, inmem.PrimitiveKV, inmem.PrimitiveCells)}
		if d.odds(2) {
			t.Run = e.active(d)
		}
		k := one(d, inmem.Keep{Commits: 3}, inmem.Keep{Commits: 20}, inmem.Keep{For: time.Minute},
			inmem.Keep{})
		clear := d.odds(4)
		e.do(a, fmt.Sprintf("keep %v of %+v, clear %v", k, t, clear), func(s *side) string {
			if clear {
				version, err := s.db.ClearRetention(e.ctx, t)
				return answer(err, "version %d", version)
			}
			version, err := s.db.SetRetention(e.ctx, t, k)
			return answer(err, "version %d", version)
		})
	}},
	{"retention-apply", 1, func(e *episode, a Action) {
		if !a.draws().odds(2) { // it waits for readers
			return
		}
		e.do(a, "apply retention", func(s *side) string {
			_, err := s.db.ApplyRetention(e.ctx, nil)
			return word(errors.Join(err, s.db.Flush(e.ctx)))
		})
	}},
	{"pin", 2, func(e *episode, a Action) {
		d := a.draws()
		name, version, pin := e.active(d), e.past(d), one(d, "first", "second")
		if name == "" {
			return
		}
		undo := d.odds(2)
		e.do(a, fmt.Sprintf("pin %s of %s at %d, undo %v", pin, name, version, undo),
			func(s *side) string {
				if undo {
					return word(s.db.Unpin(e.ctx, pin))
				}
				return word(s.db.Pin(e.ctx, pin, s.runs[name], version))
			})
	}},
	{"policies", 1, func(e *episode, a Action) {
		e.look(a, "policies", func(s *side) string {
			policies, err := s.db.Retention(e.ctx)
			said := answer(err, "%+v ", policies)
			pins, err := s.db.Pins(e.ctx)
			return said + answer(err, "%+v", pins)
		})
	}},
	{"reclaim", 1, func(e *episode, a Action) {
		e.do(a, "reclaim", func(s *side) string {
			_, err := s.db.Reclaim(e.ctx)
			return word(err)
		})
	}},
	{"verify", 1, func(e *episode, a Action) { e.verify(a.String()) }},
	{"repair", 1, func(e *episode, a Action) {
		e.do(a, "repair", func(s *side) string {
			r, err := s.db.Repair(e.ctx, inmem.RepairOptions{})
			if err != nil {
				return word(err)
			}
			return fmt.Sprintf("%+v", *r)
		})
	}},
	{"checkpoint", 2, func(e *episode, a Action) { e.checkpoint(a) }},
	{"carry", 3, func(e *episode, a Action) { e.carry(a) }},
}

// checkpoint makes a copy of the database, opens or restores it, and compares it.
func (e *episode) checkpoint(a Action) {
	to, restored := fmt.Sprintf("copy%d", a.Step), fmt.Sprintf("restored%d", a.Step)
	info, err := e.real.db.Checkpoint(e.ctx, to)
	e.tell("%v: %s -> %s", a, to, answer(err, "version %d", info.Version))
	if err != nil {
		e.copyFailed(a, err)
		return
	}
	defer func() {
		_ = e.disk.raw.RemoveAll(to) // what is left of it is of no use to anybody
		_ = e.disk.raw.RemoveAll(restored)
	}()
	if info.Version < e.model.db.Version() {
		e.wrong("%v: the checkpoint is of version %d, the newest is %d", a, info.Version,
			e.model.db.Version())
		return
	}
	if a.Args[3]%2 == 0 {
		_, err := embedded.Restore(e.ctx, embedded.RestoreOptions{
			From: to, To: restored, FS: e.disk,
		})
		if err != nil {
			e.copyFailed(a, err)
			return
		}
		to = restored
	}
	o := e.options
	o.Dir, o.FS = to, e.disk
	eng, err := embedded.Open(e.ctx, o)
	if err != nil {
		e.copyFailed(a, err)
		return
	}
	s, err := assemble(engine{eng, func(codec.Scope) {}}, eng.BootEpoch()+1)
	if err == nil {
		err = s.find(e.ctx, e.runs, nil)
	}
	for _, id := range e.runs {
		if err != nil {
			break
		}
		want, errW := e.model.runs[id].StateHash(e.ctx, info.Version)
		got, errG := s.runs[id].StateHash(e.ctx, info.Version)
		if got != want || word(errG) != word(errW) {
			err = fmt.Errorf("run %s in the copy has state %v (%w), should have %v (%v)", id, got, errG,
				want, errW)
		}
	}
	if err == nil {
		report, verr := s.db.Verify(e.ctx, inmem.VerifyOptions{})
		if err = verr; err == nil && !report.Sound() {
			err = fmt.Errorf("verify of the copy: %s", report.Problems[0].String())
		}
	}
	if s != nil {
		err = errors.Join(err, s.db.Close())
	}
	if err != nil {
		e.copyFailed(a, err)
		return
	}
	e.count.Copies++
}

// copyFailed judges the failure of a copy: the disk is an excuse.
func (e *episode) copyFailed(a Action, err error) {
	e.tell("  the copy fails: %v", err)
	if !e.disk.hasFired() && !e.low {
		e.wrong("%v: %v", a, err)
		return
	}
	e.count.Faults["failed copy"]++
}

// carry exports a run and imports it again, under another id.
func (e *episode) carry(a Action) {
	d := a.draws()
	name := e.active(d)
	if name == "" || len(e.runs) >= most+3 {
		return
	}
	at := uint64(0)
	if d.odds(2) {
		at = e.past(d)
	}
	id := e.newID(d)
	bundles := map[*side][]byte{}
	e.look(a, fmt.Sprintf("export %s at %d", name, at), func(s *side) string {
		var b bytes.Buffer
		info, err := s.db.ExportRun(e.ctx, name, &b, inmem.ExportOptions{At: at})
		bundles[s] = b.Bytes()
		return answer(err, "%s %d changes %d events %v", infoText(info.Run), info.Changes,
			info.Events, info.StateHash)
	})
	if e.failure != nil || len(bundles) < 2 || len(bundles[e.real]) == 0 {
		return
	}
	if !bytes.Equal(bundles[e.real], bundles[e.model]) {
		e.wrong("%v: the bundles differ", a)
		return
	}
	e.do(a, "import it as "+id, func(s *side) string {
		_, err := s.db.ImportRun(e.ctx, bytes.NewReader(bundles[s]), inmem.ImportOptions{ID: id})
		return word(err)
	})
	e.added()
}
