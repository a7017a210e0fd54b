package agents

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The sizes of runs whose history is looked at, in keys. Every key was put and then overwritten, a
// hundred in a commit.
var historySizes = []struct {
	keys int
	name string
	long bool
}{{1000, "1k", false}, {100_000, "100k", false}, {1_000_000, "1m", true}}

// perCommit is how many keys a commit of such a run writes.
const perCommit = 100

// history are the workloads of the past: views, replay, diff, forks, watches, retention, backup.
func (m *maker) history() []measure.Workload {
	var all []measure.Workload
	for _, size := range historySizes {
		p := m.past("history/"+size.name, size.keys, 0)
		for _, w := range []measure.Workload{
			p.on("view_open", "open a view at a random version, and close it", p.viewTrial),
			p.on("get_as_of", "get a random key in a view at half of the history", p.asOfTrial),
			p.on("key_history", "all versions of a random key", p.keyHistoryTrial),
			p.on("fork", "fork a run at its newest version", p.forkTrial),
			p.on("fork_get", "get a random key of a fork", p.forkGetTrial),
			p.on("fork_scan_100", "read 100 neighbouring keys of a fork", p.forkScanTrial),
			p.walk("replay", "replay a run with values", p.replayTrial),
			p.over(p.keys, "keys", p.on("diff", "compare a run at half of its history with its end",
				p.diffTrial)),
			p.over(p.keys, "keys", p.on("state_hash", "hash the state of a run", p.hashTrial)),
			p.walk("watch_catch_up", "watch a run from its beginning to now", p.catchUpTrial),
			p.walk("export", "export a run with its history", p.exportTrial),
			p.checkpoint(),
			m.retention(size.keys),
		} {
			if w.Setup == nil {
				continue // not in this mode
			}
			w.Name = "history/" + w.Name + "/" + size.name
			w.Long = size.long
			all = append(all, w)
		}
	}
	crowded := m.past("history/crowded", 1000, 1000)
	w := crowded.walk("replay_crowded/1k", "replay a run beside 1,000 others of its size",
		crowded.replayTrial)
	w.Name, w.Long = "history/"+w.Name, true
	return append(all, w, m.workload("history/watch_told",
		"put a key, and be told of it by a watch, which tells only what is on disk", m.toldTrial))
}

// past is a fixture: a database with a run that has a history, and perhaps others beside it.
type past struct {
	measure.Fixture
	m      *maker
	keys   int
	others int
	dir    string
	db     *inmem.DB
	run    *inmem.Run
	half   uint64 // version at which every key has its first value
	end    uint64 // version at which every key has its second
}

func (m *maker) past(name string, keys, others int) *past {
	p := &past{m: m, keys: keys, others: others}
	p.Fixture = measure.Fixture{
		Name:  name,
		Setup: p.open,
		Close: func() error { return p.db.Close() },
	}
	return p
}

func (p *past) open(ctx context.Context, dir string) (err error) {
	o := &inmem.Options{MemoryBudget: p.m.cfg.Memory}
	if err := durability(o, p.m.cfg.Mode); err != nil {
		return err
	}
	if p.db, err = inmem.Open(dir, o); err != nil {
		return err
	}
	p.dir = dir
	for range p.others {
		if _, _, err := fillRun(ctx, p.db, p.keys); err != nil {
			return errors.Join(err, p.db.Close())
		}
	}
	if p.run, p.half, err = fillRun(ctx, p.db, p.keys); err != nil {
		return errors.Join(err, p.db.Close())
	}
	p.end = p.db.Version()
	return nil
}

// fillRun makes a run in which every key has two versions, and tells the version between them.
func fillRun(ctx context.Context, db *inmem.DB, keys int) (run *inmem.Run, half uint64, err error) {
	if run, err = db.BeginRun(ctx, namespace); err != nil {
		return nil, 0, err
	}
	for round := range 2 {
		half = db.Version()
		for first := 0; first < keys; first += perCommit {
			_, err := run.Update(ctx, func(tx *inmem.Tx) error {
				for i := first; i < first+perCommit; i++ {
					if _, err := tx.KV().Put(ctx, pastKey(i), pastValue(i, round)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return nil, 0, err
			}
		}
	}
	return run, half, nil
}

func pastKey(i int) string { return fmt.Sprintf("agent/step-%07d/value", i) }

// padding makes values of about 100 bytes.
var padding = strings.Repeat(".", 90)

func pastValue(i, round int) inmem.Value {
	return inmem.String(fmt.Sprintf("%07d-%d%s", i, round, padding))
}

// expectPast checks the value of a key in a round.
func expectPast(ctx context.Context, kv inmem.KV, i, round int) error {
	v, found, err := kv.Get(ctx, pastKey(i))
	if err != nil {
		return err
	}
	if !found || !v.Equal(pastValue(i, round)) {
		return measure.Wrongf("key %d of round %d: found %v %v", i, round, found, v)
	}
	return nil
}

// on is a workload on the fixture.
func (p *past) on(name, about string,
	prepare func(context.Context) (*measure.Trial, error)) measure.Workload {
	return measure.Workload{
		Name: name, About: about, Fixture: &p.Fixture,
		Setup: func(ctx context.Context, _ string) (*measure.Trial, error) { return prepare(ctx) },
	}
}

// walk is a workload that goes over the whole run in one operation.
func (p *past) walk(name, about string,
	prepare func(context.Context) (*measure.Trial, error)) measure.Workload {
	return p.over(2*p.keys, "entries", p.on(name, about, prepare))
}

// over says how much one operation of a workload goes over.
func (p *past) over(units int, unit string, w measure.Workload) measure.Workload {
	w.Units, w.Unit = units, unit
	return w
}
