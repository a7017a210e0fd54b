package isolationtest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/internal/isolation"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// history collects what all clients saw.
type history struct {
	clock  atomic.Int64 // moments
	values atomic.Int64 // no value is written twice

	mu sync.Mutex
	h  isolation.History
}

func (h *history) moment() int64 { return h.clock.Add(1) }
func (h *history) value() int64  { return h.values.Add(1) }

func (h *history) add(t isolation.Txn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.h.Txns = append(h.h.Txns, t)
}

func (h *history) fork(f isolation.Fork) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.h.Forks = append(h.h.Forks, f)
}

// place is one form of a run: the run itself, as a transaction shows it, or a view.
type place interface {
	KV() inmem.KV
	Cell(name string) inmem.Cell
	Events() inmem.Events
}

// session is one attempt of a transaction: it does the operations and writes them down.
type session struct {
	*isolation.Txn
	h   *history
	ctx context.Context
	own map[isolation.Key]bool // what it has written: no version is told of it
}

func newSession(ctx context.Context, h *history, client int, l isolation.Level) *session {
	t := &isolation.Txn{Client: client, Level: l, Began: h.moment()}
	return &session{Txn: t, h: h, ctx: ctx, own: map[isolation.Key]bool{}}
}

// pin notes the version that all reads came from.
func (s *session) pin(version uint64) { s.Snapshot, s.Pinned = version, true }

// end hands the attempt in.
func (s *session) end(o isolation.Outcome, version uint64) {
	s.Outcome, s.Version, s.Ended = o, version, s.h.moment()
	s.h.add(*s.Txn)
}

func (s *session) note(op isolation.Op) { s.Ops = append(s.Ops, op) }

// Registers are keys with this prefix, and their names in histories are the keys; lists lie beside.
const (
	registers = "r/"
	width     = 12 // registers that a scan may go over
)

func register(i int) string { return fmt.Sprintf("%s%02d", registers, i) }

func key(scope, name string) isolation.Key { return isolation.Key{Scope: scope, Name: name} }

// get reads a register, with or without its version.
func (s *session) get(p place, scope, name string, versioned bool) error {
	op := isolation.Op{Kind: isolation.Read, Key: key(scope, name)}
	if !versioned || s.own[op.Key] {
		v, _, err := inmem.Get[int64](s.ctx, p.KV(), name)
		op.Value = v
		s.note(op)
		return err
	}
	e, err := p.KV().GetVersioned(s.ctx, name)
	if err != nil {
		return err
	}
	op.Told, op.Version = true, e.Version
	if e.Exists {
		op.Value, err = e.Value.AsInt()
	}
	s.note(op)
	return err
}

func (s *session) put(p place, scope, name string) error {
	v := s.h.value()
	_, err := inmem.Put(s.ctx, p.KV(), name, v)
	s.write(isolation.Op{Kind: isolation.Write, Key: key(scope, name), Value: v})
	return err
}

func (s *session) write(op isolation.Op) {
	s.own[op.Key] = true
	s.note(op)
}

func (s *session) remove(p place, scope, name string) error {
	_, err := p.KV().Delete(s.ctx, name)
	s.write(isolation.Op{Kind: isolation.Remove, Key: key(scope, name)})
	return err
}

// swap reads a register with its version and names that in a compare-and-set.
func (s *session) swap(p place, scope, name string) error {
	if s.own[key(scope, name)] {
		return nil
	}
	if err := s.get(p, scope, name, true); err != nil {
		return err
	}
	v, before := s.h.value(), s.Ops[len(s.Ops)-1].Version
	_, err := p.KV().CAS(s.ctx, name, before, inmem.Int(v))
	s.write(isolation.Op{Kind: isolation.Write, Key: key(scope, name), Value: v})
	return err
}

// scan goes over the registers [from, to); with a limit it may stop early, at either end.
func (s *session) scan(p place, scope string, from, to, limit int, reverse bool) error {
	o := inmem.ScanOptions{Prefix: registers, Start: register(from), End: register(to),
		Limit: limit, Reverse: reverse}
	op := isolation.Op{Kind: isolation.Scan, Key: key(scope, o.Start), End: o.End}
	for pair, err := range p.KV().Scan(s.ctx, o) {
		if err != nil {
			return err
		}
		v, err := pair.Value.AsInt()
		if err != nil {
			return err
		}
		op.Found = append(op.Found, isolation.Found{Name: pair.Key, Value: v})
	}
	if n := len(op.Found); n > 0 && n == limit {
		last := op.Found[n-1].Name
		if reverse {
			op.Key.Name = last
		} else {
			op.End = last + "\x00"
		}
	}
	s.note(op)
	return nil
}

// many reads several registers by one call.
func (s *session) many(p place, scope string, names []string) error {
	values, err := p.KV().GetMany(s.ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		op := isolation.Op{Kind: isolation.Read, Key: key(scope, name)}
		if v, ok := values[name]; ok {
			if op.Value, err = v.AsInt(); err != nil {
				return err
			}
		}
		s.note(op)
	}
	return nil
}

// list reads a list that is a value, and may append to it.
func (s *session) list(p place, scope, name string, more bool) error {
	l, _, err := inmem.Get[[]int64](s.ctx, p.KV(), name)
	if err != nil {
		return err
	}
	return s.append(scope, name, l, more, func(l []int64) error {
		_, err := inmem.Put(s.ctx, p.KV(), name, l)
		return err
	})
}

// cell reads a list that is in a cell, and may append to it.
func (s *session) cell(p place, scope, name string, more bool) error {
	state, err := p.Cell(name).Load(s.ctx)
	if err != nil {
		return err
	}
	l, err := ints(state.Value, state.Exists)
	if err != nil {
		return err
	}
	return s.append(scope, name, l, more, func(l []int64) error {
		v, err := inmem.ValueOf(l)
		if err != nil {
			return err
		}
		if state.Version != 0 && len(l)%2 == 0 {
			_, err = p.Cell(name).CompareAndSwap(s.ctx, state.Version, v)
		} else {
			_, err = p.Cell(name).Store(s.ctx, v)
		}
		return err
	})
}

func ints(v inmem.Value, exists bool) (l []int64, err error) {
	if exists {
		err = v.Decode(&l)
	}
	return l, err
}

// append notes a list that was read, and stores it with one more element.
func (s *session) append(
	scope, name string, l []int64, more bool, store func([]int64) error,
) error {
	s.note(isolation.Op{Kind: isolation.ReadList, Key: key(scope, name), List: l})
	if !more {
		return nil
	}
	v := s.h.value()
	s.note(isolation.Op{Kind: isolation.Append, Key: key(scope, name), Value: v})
	return store(append(l[:len(l):len(l)], v))
}

// The event log is a list by itself.
const events = "events"

func (s *session) event(p place, scope string) error {
	v := s.h.value()
	_, err := p.Events().Append(s.ctx, "e"+strconv.Itoa(int(v%3)), inmem.Int(v))
	s.note(isolation.Op{Kind: isolation.Append, Key: key(scope, events), Value: v})
	return err
}

func (s *session) log(p place, scope string) error {
	op := isolation.Op{Kind: isolation.ReadList, Key: key(scope, events)}
	for e, err := range p.Events().List(s.ctx, inmem.EventOptions{}) {
		if err != nil {
			return err
		}
		if e.Seq != uint64(len(op.List)) {
			return fmt.Errorf("event %d of %s is called %d", len(op.List), scope, e.Seq)
		}
		v, err := e.Payload.AsInt()
		if err != nil {
			return err
		}
		op.List = append(op.List, v)
	}
	s.note(op)
	return nil
}
