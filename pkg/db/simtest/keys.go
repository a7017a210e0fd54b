package simtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

var (
	guards = inmem.Guards{
		"gate": func(ctx context.Context, g inmem.GuardContext) error {
			if ok, err := kv.New(g.Scope).Exists(ctx, "gate"); err != nil || !ok {
				return errors.Join(err, errors.New("the gate is shut"))
			}
			return nil
		},
		"deny": func(context.Context, inmem.GuardContext) error { return errors.New("never") },
	}
	spaces   = []string{"", "", "", "queue", "\x00"} // extensions; empty for the run's own keys
	keyNames = []string{
		"", "a", "gate", "p/", "p/a", "p/b", "p0", "q\x00", "q\xff", strings.Repeat("l", 300),
	}
)

// drawValue draws a value of any kind.
func drawValue(d *args) inmem.Value {
	list, _ := inmem.ValueOf([]any{1, "two", nil, map[string]any{"b": []byte{0}, "a": -0.5}})
	switch d.below(10) {
	case 0:
		return inmem.Null()
	case 1:
		return inmem.Bool(true)
	case 2:
		return inmem.Float(float64(d.below(1000)) / 8)
	case 3:
		return inmem.Bytes([]byte{0xff, byte(d.below(256))})
	case 4:
		return list
	case 5:
		return inmem.String(strings.Repeat("long ", 10+d.below(2000)))
	case 6:
		return inmem.String("")
	}
	return inmem.Int(int64(d.below(1_000_000)))
}

func drawKey(d *args) string {
	switch d.below(6) {
	case 0, 1, 2: // most of what happens meets in few places
		return one(d, "a", "gate")
	case 3:
		return fmt.Sprintf("n%03d", d.below(400))
	}
	return keyNames[d.below(len(keyNames))]
}

// where draws a run or a shared namespace, and says whether the client's transaction is meant.
func (e *episode) where(a Action, d *args) (name string, inside bool) {
	all := slices.Clone(e.runs)
	all = append(all, e.runs...)
	for _, n := range e.spaces {
		all = append(all, n.String())
	}
	if len(e.gone) > 0 && d.odds(40) {
		all = e.gone
	}
	if len(all) == 0 {
		return "", false
	}
	name, inside = all[0], e.real.txs[a.Client] != nil && !d.odds(5)
	if d.odds(2) {
		name = all[d.below(len(all))]
	}
	if e.real.at(name, nil) == nil { // it is gone, and so are its handles
		return "", false
	}
	return name, inside
}

// in is a place on a side, empty-handed if there is none.
func (e *episode) in(s *side, a Action, name string, inside bool) place {
	if inside {
		return s.at(name, s.txs[a.Client])
	}
	return s.at(name, nil)
}

// write is a change in a drawn place.
func (e *episode) write(a Action, d *args, what string, act func(p place) string) {
	name, inside := e.where(a, d)
	if name == "" {
		return
	}
	e.do(a, describe(name, inside, what), func(s *side) string {
		return act(e.in(s, a, name, inside))
	})
}

// read is a question to a drawn place, or to the client's view of one.
func (e *episode) read(a Action, d *args, what string, ask func(p place) string) {
	name, inside := e.where(a, d)
	if name == "" {
		return
	}
	if e.real.views[a.Client] != nil && d.odds(2) {
		e.look(a, describe(name, false, what+" (view)"), func(s *side) string {
			return ask(s.through(name, s.views[a.Client]))
		})
		return
	}
	if inside { // what a transaction reads is in its read set: both sides must read, or none
		e.do(a, describe(name, inside, what), func(s *side) string {
			return ask(e.in(s, a, name, inside))
		})
		return
	}
	e.look(a, describe(name, inside, what), func(s *side) string {
		return ask(e.in(s, a, name, inside))
	})
}

func describe(name string, inside bool, what string) string {
	if inside {
		return name + " in a transaction: " + what
	}
	return name + ": " + what
}

func space(p place, name string) inmem.KV {
	if name == "" {
		return p.KV()
	}
	return p.Extension(name)
}

// seen is the version of something now, for a compare-and-set that may win.
func (e *episode) seen(name string, ask func(p place) (uint64, error)) uint64 {
	p := e.model.at(name, nil)
	if p == nil {
		return 0
	}
	v, err := ask(p)
	if err != nil {
		return 0
	}
	return v
}

// The keys of a run, and those of its extensions.
var keyKinds = []kind{
	{"key-put", 30, func(e *episode, a Action) {
		d := a.draws()
		in, key, v := one(d, spaces...), drawKey(d), drawValue(d)
		e.write(a, d, fmt.Sprintf("put %q %.20q %.20v", in, key, v), func(p place) string {
			version, err := space(p, in).Put(e.ctx, key, v)
			return answer(err, "version %d", version)
		})
	}},
	{"key-put-ttl", 8, func(e *episode, a Action) {
		d := a.draws()
		in, key, v := one(d, spaces...), drawKey(d), drawValue(d)
		ttl := time.Duration(one(d, 1, 500, 1500, 5000, 60_000, 0, -1)) * time.Millisecond
		e.write(a, d, fmt.Sprintf("put %q %.20q for %v", in, key, ttl), func(p place) string {
			version, err := space(p, in).PutWithTTL(e.ctx, key, v, ttl)
			return answer(err, "version %d", version)
		})
	}},
	{"key-delete", 10, func(e *episode, a Action) {
		d := a.draws()
		in, key := one(d, spaces...), drawKey(d)
		e.write(a, d, fmt.Sprintf("delete %q %.20q", in, key), func(p place) string {
			existed, err := space(p, in).Delete(e.ctx, key)
			return answer(err, "existed %v", existed)
		})
	}},
	{"key-cas", 10, func(e *episode, a Action) {
		d := a.draws()
		in, key, v := one(d, spaces...), drawKey(d), drawValue(d)
		name, inside := e.where(a, d)
		if name == "" {
			return
		}
		expected := uint64(d.below(3))
		if !d.odds(4) {
			expected = e.seen(name, func(p place) (uint64, error) {
				entry, err := space(p, in).GetVersioned(e.ctx, key)
				return entry.Version, err
			})
		}
		e.do(a, describe(name, inside, fmt.Sprintf("cas %q %.20q at %d", in, key, expected)),
			func(s *side) string {
				version, err := space(e.in(s, a, name, inside), in).CAS(e.ctx, key, expected, v)
				return answer(err, "version %d", version)
			})
	}},
	{"key-atomic", 3, func(e *episode, a Action) {
		d := a.draws()
		n := 1 + d.below(30)
		e.write(a, d, fmt.Sprintf("%d puts as one", n), func(p place) string {
			version, err := p.KV().Atomic(e.ctx, func(k inmem.KV) error {
				for i := range n {
					if _, err := k.Put(e.ctx, fmt.Sprintf("m%02d", i), inmem.Int(int64(i))); err != nil {
						return err
					}
				}
				return nil
			})
			return answer(err, "version %d", version)
		})
	}},
	{"key-get", 20, func(e *episode, a Action) {
		d := a.draws()
		in, key := one(d, spaces...), drawKey(d)
		e.read(a, d, fmt.Sprintf("get %q %.20q", in, key), func(p place) string {
			return getKey(e.ctx, space(p, in), key)
		})
	}},
	{"key-scan", 10, func(e *episode, a Action) {
		d := a.draws()
		in := one(d, spaces...)
		o := one(d, inmem.ScanOptions{}, inmem.ScanOptions{Reverse: true},
			inmem.ScanOptions{Prefix: "p/"}, inmem.ScanOptions{Prefix: "p/", Reverse: true, Limit: 1},
			inmem.ScanOptions{Start: "a", End: "p/b"}, inmem.ScanOptions{Limit: 2},
			inmem.ScanOptions{Start: "n", End: "n2", Reverse: true, Limit: 30})
		e.read(a, d, fmt.Sprintf("scan %q %+v", in, o), func(p place) string {
			n, err := space(p, in).Count(e.ctx, o)
			return scanned(e.ctx, space(p, in), o) + answer(err, " count %d", n)
		})
	}},
	{"key-get-many", 3, func(e *episode, a Action) {
		d := a.draws()
		in := one(d, spaces...)
		e.read(a, d, fmt.Sprintf("get many %q", in), func(p place) string {
			values, err := space(p, in).GetMany(e.ctx, keyNames)
			return answer(err, "%v", values) // fmt sorts the keys
		})
	}},
	{"key-history", 4, func(e *episode, a Action) {
		d := a.draws()
		in, key := one(d, spaces...), drawKey(d)
		e.read(a, d, fmt.Sprintf("history of %q %.20q", in, key), func(p place) string {
			return lines(space(p, in).History(e.ctx, key), func(x kv.Past) string {
				return fmt.Sprintf("%+v", x)
			})
		})
	}},
}

// getKey asks for a key in all ways.
func getKey(ctx context.Context, k inmem.KV, key string) string {
	entry, err := k.GetVersioned(ctx, key)
	if err != nil {
		return word(err)
	}
	v, ok, err := k.Get(ctx, key)
	if err != nil || ok != entry.Exists || v != entry.Value {
		return fmt.Sprintf("get says %v %v (%s), versioned %+v", v, ok, word(err), entry)
	}
	if ok, err = k.Exists(ctx, key); err != nil || ok != entry.Exists {
		return fmt.Sprintf("exists says %v (%s), versioned %+v", ok, word(err), entry)
	}
	return fmt.Sprint(entry.Value, entry.Exists, entry.Version, clock(entry.Written),
		clock(entry.Expires))
}

func scanned(ctx context.Context, k inmem.KV, o inmem.ScanOptions) string {
	return lines(k.Scan(ctx, o), func(p kv.Pair) string {
		return fmt.Sprintf("%q=%v", p.Key, p.Value)
	})
}
