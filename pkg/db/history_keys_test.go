package inmem_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// The keys of a scope, and those of its extensions.

var (
	spaces   = []string{"kv", "x:", "x:queue", "x:\x00"}
	keyNames = []string{"", "a", "gate", "p/", "p/a", "p/b", "p0", "q\x00", "q\xff"}
)

// keyspace finds a keyspace by its name in the mirror.
func keyspace(p place, space string) inmem.KV {
	if name, ok := strings.CutPrefix(space, "x:"); ok {
		return p.Extension(name)
	}
	return p.KV()
}

func (s *mirrorScope) put(space, key string, k mirrorKey) {
	if s.keys[space] == nil {
		s.keys[space] = map[string]mirrorKey{}
	}
	k.version = pending
	s.keys[space][key] = k
}

func drawValue(r *rapid.T) inmem.Value {
	list, _ := inmem.ValueOf([]any{1, "two", nil, map[string]any{"b": []byte{0}, "a": -0.5}})
	return some(r,
		inmem.Int(1), inmem.Int(-2), inmem.String(""), inmem.String("text\x00"), inmem.Null(),
		inmem.Bool(true), inmem.Float(1), inmem.Bytes([]byte{0xff}), list,
		inmem.String(strings.Repeat("long ", 300)))
}

// drawKeyWrite draws a write to a key.
func drawKeyWrite(r *rapid.T, at string, m *mirror) deed {
	space := some(r, spaces...)
	key := some(r, keyNames...)
	if odds(r, 2) { // most of what happens meets in few places
		space, key = some(r, "kv", "x:queue"), some(r, "a", "gate")
	}
	v := drawValue(r)
	what := fmt.Sprintf("%s %q", space, key)
	switch some(r, "put", "put", "ttl", "delete", "cas", "cas") {
	case "put":
		return inScope(at, "put "+what, func(h hands) string {
			return h.written(keyspace(h.place(at), space).Put(h.ctx, key, v))
		}, func(_ *attempt, s *mirrorScope) string {
			s.put(space, key, mirrorKey{value: v, exists: true})
			return "ok"
		}).blindly()
	case "ttl":
		ttl := time.Duration(some(r, 1, 500, 1500, 5000, 0, -1)) *
			time.Millisecond
		return inScope(at, fmt.Sprintf("put %s for %v", what, ttl), func(h hands) string {
			return h.written(keyspace(h.place(at), space).PutWithTTL(h.ctx, key, v, ttl))
		}, func(a *attempt, s *mirrorScope) string {
			if ttl <= 0 {
				return "invalid argument"
			}
			s.put(space, key, mirrorKey{value: v, exists: true, expires: a.now.Add(ttl)})
			return "ok"
		}).blindly()
	case "delete":
		return inScope(at, "delete "+what, func(h hands) string {
			existed, err := keyspace(h.place(at), space).Delete(h.ctx, key)
			return answer(err, "%v", existed)
		}, func(a *attempt, s *mirrorScope) string {
			if !s.keys[space][key].live(a.now) {
				return "false"
			}
			s.put(space, key, mirrorKey{})
			return "true"
		}).blindly()
	}
	expected := uint64(evenly(r, 3))
	if s := m.scopes[at]; s != nil && !odds(r, 4) {
		expected = s.keys[space][key].version
	}
	return inScope(at, fmt.Sprintf("cas %s at %d", what, expected), func(h hands) string {
		return h.written(keyspace(h.place(at), space).CAS(h.ctx, key, expected, v))
	}, func(a *attempt, s *mirrorScope) string {
		if a.direct && s.keys[space][key].version != expected {
			return lostCAS
		}
		a.conds = append(a.conds, condition{at, space, key, expected})
		s.put(space, key, mirrorKey{value: v, exists: true})
		return "ok"
	})
}

// keyReads look at everything in a keyspace.
func keyReads(at, space string) (all []deed) {
	for _, key := range keyNames {
		all = append(all, readKey(at, space, key))
	}
	for _, o := range []inmem.ScanOptions{
		{}, {Reverse: true}, {Prefix: "p/"}, {Prefix: "p/", Reverse: true, Limit: 1},
		{Start: "a", End: "p/b"}, {Start: "p/", Reverse: true}, {Limit: 2}, {End: "q\xff", Limit: 3},
		{Prefix: "p/", Start: "p/a", End: "p/b"}, {Prefix: "none"}, {Start: "q", End: "q"},
	} {
		all = append(all, scanKeys(at, space, o))
	}
	return append(all, getMany(at, space))
}

func readKey(at, space, key string) deed {
	d := inScope(at, fmt.Sprintf("read %s %q", space, key), func(h hands) string {
		k := keyspace(h.place(at), space)
		e, err := k.GetVersioned(h.ctx, key)
		if err != nil {
			return word(err)
		}
		v, ok, err := k.Get(h.ctx, key)
		if err != nil || ok != e.Exists || v != e.Value {
			return fmt.Sprintf("get says %v %v (%v), versioned %+v", v, ok, err, e)
		}
		if ok, err = k.Exists(h.ctx, key); err != nil || ok != e.Exists {
			return fmt.Sprintf("exists says %v (%v), versioned %+v", ok, err, e)
		}
		return fmt.Sprint(e.Value, e.Exists, e.Version, clockText(e.Written), clockText(e.Expires))
	}, func(a *attempt, s *mirrorScope) string {
		k := s.keys[space][key]
		if !k.live(a.now) {
			k.value, k.exists, k.expires = inmem.Null(), false, time.Time{}
		}
		return fmt.Sprint(k.value, k.exists, shown(k.version), clockText(k.written),
			clockText(k.expires))
	})
	d.own = func(s *mirrorScope) bool { return s.keys[space][key].version == pending }
	return d
}

// selected are the live keys that a scan should show.
func (s *mirrorScope) selected(space string, o inmem.ScanOptions, now time.Time) (keys []string) {
	for key, k := range s.keys[space] {
		if k.live(now) && strings.HasPrefix(key, o.Prefix) && key >= o.Start &&
			(o.End == "" || key < o.End) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if o.Reverse {
		slices.Reverse(keys)
	}
	if o.Limit > 0 && len(keys) > o.Limit {
		keys = keys[:o.Limit]
	}
	return keys
}

func scanKeys(at, space string, o inmem.ScanOptions) deed {
	return inScope(at, fmt.Sprintf("scan %s %+v", space, o), func(h hands) string {
		k := keyspace(h.place(at), space)
		pairs := lines(k.Scan(h.ctx, o), func(p kv.Pair) string {
			return fmt.Sprintf("%q=%v", p.Key, p.Value)
		})
		if failed(pairs) {
			return pairs
		}
		list := lines(k.List(h.ctx, o), func(key string) string { return fmt.Sprintf("%q", key) })
		n, err := k.Count(h.ctx, o)
		return pairs + " list " + list + answer(err, " count %d", n)
	}, func(a *attempt, s *mirrorScope) string {
		var pairs, list []string
		for _, key := range s.selected(space, o, a.now) {
			pairs = append(pairs, fmt.Sprintf("%q=%v", key, s.keys[space][key].value))
			list = append(list, fmt.Sprintf("%q", key))
		}
		return fmt.Sprintf("%s list %s count %d", strings.Join(pairs, "; "),
			strings.Join(list, "; "), len(list))
	}).inRange()
}

func getMany(at, space string) deed {
	return inScope(at, "get many "+space, func(h hands) string {
		values, err := keyspace(h.place(at), space).GetMany(h.ctx, append(keyNames, "none"))
		return answer(err, "%v", values) // fmt sorts the keys
	}, func(a *attempt, s *mirrorScope) string {
		values := map[string]inmem.Value{}
		for _, key := range s.selected(space, inmem.ScanOptions{}, a.now) {
			values[key] = s.keys[space][key].value
		}
		return fmt.Sprint(values)
	})
}
