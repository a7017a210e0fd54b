package simtest

import (
	"errors"
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Transactions that stay open over steps, and such that begin and end in one.
var txKinds = []kind{
	{"tx-begin", 25, func(e *episode, a Action) {
		if e.real.txs[a.Client] != nil {
			return
		}
		d := a.draws()
		var o inmem.TxOptions
		o.Isolation = one(d, inmem.Snapshot, inmem.Serializable)
		if d.odds(6) {
			o.Durability = inmem.Strict
		}
		e.look(a, fmt.Sprintf("begin %v", o.Isolation), func(s *side) string {
			tx, err := s.db.Begin(e.ctx, o)
			s.txs[a.Client] = tx
			return word(err)
		})
		if e.real.txs[a.Client] == nil || e.model.txs[a.Client] == nil {
			e.drop(a.Client)
		}
	}},
	{"tx-commit", 25, func(e *episode, a Action) {
		if e.real.txs[a.Client] == nil {
			return
		}
		if n := e.real.txs[a.Client].Counts(); n != e.model.txs[a.Client].Counts() {
			e.wrong("%v: the transaction counts %+v, should count %+v", a, n,
				e.model.txs[a.Client].Counts())
			return
		}
		said := e.do(a, "commit", func(s *side) string {
			tx := s.txs[a.Client]
			s.txs[a.Client] = nil
			version, err := tx.Commit(e.ctx)
			return answer(err, "version %d", version)
		})
		e.count.outcome(said)
	}},
	{"tx-rollback", 3, func(e *episode, a Action) {
		if e.real.txs[a.Client] == nil {
			return
		}
		e.look(a, "rollback", func(s *side) string {
			tx := s.txs[a.Client]
			s.txs[a.Client] = nil
			return word(tx.Rollback())
		})
		e.drop(a.Client)
	}},
	{"update", 10, func(e *episode, a Action) {
		d := a.draws()
		name, other := e.active(d), e.active(d)
		if name == "" {
			return
		}
		o := inmem.TxOptions{Isolation: one(d, inmem.Snapshot, inmem.Serializable)}
		if d.odds(4) {
			o.Durability = inmem.Strict
		}
		disturbed, fails := d.odds(4), d.odds(8)
		what := fmt.Sprintf("update of %s and %s, disturbed %v, fails %v", name, other, disturbed, fails)
		said := e.do(a, what, func(s *side) string {
			return e.update(s, o, name, other, disturbed, fails)
		})
		e.count.outcome(said)
		if o.Durability == inmem.Strict && e.failure == nil && !e.low &&
			e.engine.Durable() < e.real.db.Version() && said[0] == 'v' {
			e.wrong("%v: it was to be durable, that is version %d", a, e.engine.Durable())
		}
	}},
	{"canceled", 4, func(e *episode, a Action) { e.canceled(a) }},
}

// active draws a run, whatever its status.
func (e *episode) active(d *args) string {
	if len(e.runs) == 0 {
		return ""
	}
	return e.runs[d.below(len(e.runs))]
}

// update moves something from one run to another, with a count of it in a cell and an event in
// each. Disturbed, somebody else writes in between: it begins anew.
func (e *episode) update(
	s *side, o inmem.TxOptions, name, other string, disturbed, fails bool,
) string {
	tries := 0
	version, err := s.db.UpdateWith(e.ctx, o, func(tx *inmem.Tx) error {
		tries++
		from, to := tx.On(s.runs[name]), tx.On(s.runs[other])
		n, err := from.KV().Count(e.ctx, inmem.ScanOptions{Prefix: "n"})
		if err != nil {
			return err
		}
		if _, _, err = from.KV().Get(e.ctx, "moved"); err != nil {
			return err
		}
		if disturbed && tries == 1 {
			if _, err := s.runs[name].KV().Put(e.ctx, "moved", inmem.Int(-1)); err != nil {
				return err
			}
		}
		_, err = from.KV().Put(e.ctx, "moved", inmem.Int(int64(n)))
		_, err2 := to.Events().Append(e.ctx, "moved", inmem.Int(int64(n)))
		err3 := noVersion(to.Cell("moved").UpdateOrInit(e.ctx, inmem.Int(0),
			func(v inmem.Value) (inmem.Value, error) {
				had, err := v.AsInt()
				return inmem.Int(had + 1), err
			}))
		if fails {
			return errAbort
		}
		return errors.Join(err, err2, err3)
	})
	return answer(err, "version %d after %d tries", version, tries)
}

func noVersion[T any](_ T, err error) error { return err }
