package inmem_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// folded is a state made from nothing but the commits of a replay.
type folded map[foldedKey]foldedItem

type foldedKey struct {
	primitive inmem.Primitive
	key       string // as it is stored
}

type foldedItem struct {
	value   string // encoded
	expires time.Time
}

// live tells whether an item is there at a time.
func (i foldedItem) live(now time.Time) bool { return i.expires.IsZero() || now.Before(i.expires) }

// apply takes a commit in, and compares the old values that it tells with what was there.
func (f folded) apply(t require.TestingT, c *inmem.Commit) {
	for i := range c.Changes {
		x := &c.Changes[i]
		k := foldedKey{x.Primitive, x.Key}
		switch x.Primitive {
		case inmem.PrimitiveEvents:
			k.key = fmt.Sprintf("%012x", x.Seq)
		case inmem.PrimitiveExtensions:
			k.key = string(codec.Tuple(nil).AppendString(x.Extension)) + x.Key
		}
		was, known := f[k]
		old, ok, err := x.Old()
		require.NoError(t, err)
		require.Equal(t, known && was.live(c.Time), ok, "%v of version %d", x, c.Version)
		if ok {
			data, err := codec.AppendValue(nil, old)
			require.NoError(t, err)
			require.Equal(t, was.value, string(data))
		}
		if !x.Writes() {
			delete(f, k)
			continue
		}
		f[k] = foldedItem{value: string(storedForm(t, x)), expires: x.Expires()}
	}
}

// storedForm is what was written, made again from what the accessors tell.
func storedForm(t require.TestingT, x *inmem.Change) []byte {
	if x.Primitive == inmem.PrimitiveEvents {
		e, err := x.Event()
		require.NoError(t, err)
		payload, err := codec.AppendValue(nil, e.Payload)
		require.NoError(t, err)
		data, err := codec.AppendEventRecord(nil, codec.EventRecord{
			Time: e.Time.UnixNano(), Previous: e.Previous, Hash: e.Hash, Type: e.Type, Payload: payload,
		})
		require.NoError(t, err)
		return data
	}
	v, err := x.Value()
	require.NoError(t, err)
	data, err := codec.AppendValue(nil, v)
	require.NoError(t, err)
	return data
}

// hash is the hash of the state at a time, by the words of docs/format.md.
func (f folded) hash(now time.Time) inmem.Hash {
	var keys []foldedKey
	for k, item := range f {
		if item.live(now) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b foldedKey) int {
		return cmp.Or(cmp.Compare(a.primitive, b.primitive), cmp.Compare(a.key, b.key))
	})
	h := sha256.New()
	h.Write([]byte("in-mem state 1"))
	number := func(n uint64, size int) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], n)
		h.Write(b[8-size:])
	}
	for _, k := range keys {
		item := f[k]
		h.Write([]byte{byte(k.primitive)})
		number(uint64(len(k.key)), 4)
		h.Write([]byte(k.key))
		deadline := uint64(0)
		if !item.expires.IsZero() {
			deadline = uint64(item.expires.UnixNano())
		}
		number(deadline, 8)
		number(uint64(len(item.value)), 4)
		h.Write([]byte(item.value))
	}
	return inmem.Hash(h.Sum(nil))
}

// R203, R204: a replay, folded into a state, has at every version the hash of the view there; and
// it tells the commits that there were, each once.
func (h *history) replayed(name string) {
	run, state := h.runs[name], folded{}
	var commits []uint64
	next := 0
	demand := func(upTo uint64) {
		for ; next < len(h.states) && h.states[next].version < upTo; next++ {
			version := h.states[next].version
			view, err := run.At(h.ctx, version)
			h.must(err)
			want, err := view.StateHash(h.ctx)
			h.must(err)
			if got := state.hash(view.Time()); got != want {
				h.wrong("replay of %s to version %d: %v, the view has %v", name, version, got, want)
			}
			h.must(view.Close())
		}
	}
	for c, err := range run.Replay(h.ctx, inmem.ReplayOptions{Values: inmem.OldAndNewValues}) {
		h.must(err)
		commits = append(commits, c.Version)
		if c.Number != uint64(len(commits)) || c.Run != name {
			h.wrong("replay of %s: commit %d of %s", name, c.Number, c.Run)
		}
		demand(c.Version)
		state.apply(h.r, &c)
	}
	demand(h.d.Version() + 1)
	if want := h.m.scopes[name].commits; !slices.Equal(commits, want) {
		h.wrong("replay of %s: commits %v, want %v", name, commits, want)
	}
}
