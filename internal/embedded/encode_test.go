package embedded

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// The bytes of a commit serve the next one, but never while the queue, the memtable or Pebble still
// looks at them: small commits, some with several parts of a journal record, large ones that go to
// Pebble directly, and some so large that Pebble keeps their memory, all in a row.
func TestCommitsDoNotShareBytes(t *testing.T) {
	o := memOptions()
	o.SweepInterval, o.WriteBuffer = -1, 64<<10
	db := mustOpen(t, o)
	s, other := newScope(t, db, 1), newScope(t, db, 2)
	want := map[string]string{}
	write := func(i, keys, size int) {
		r := &backend.Request{}
		for k := range keys {
			key := fmt.Sprintf("%s-%03d-%05d", strings.Repeat("k", 1+i%3*100), i, k)
			want[key] = strings.Repeat(fmt.Sprintf("%d.", i), size/2)
			for _, in := range []*backend.Scope{s, other} {
				r.Writes = append(r.Writes, put(in, key, want[key]))
			}
		}
		_, err := db.Commit(ctx, r)
		require.NoError(t, err)
	}
	for i := range 120 {
		switch {
		case i%40 == 7:
			write(i, 1, 200<<10)
		case i%40 == 17:
			write(i, 300, 100)
		case i%10 == 3:
			write(i, 1, 20<<10)
		default:
			write(i, 1+i%3, 50)
		}
	}
	at := db.Published()
	check := func() {
		for key, v := range want {
			for _, in := range []*backend.Scope{s, other} {
				require.Equal(t, v, value(t, db, in, key, at))
			}
		}
	}
	check()
	require.NoError(t, db.Close())
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	other = &backend.Scope{Number: other.Number, Record: other.Record}
	db = mustOpen(t, o)
	check()
	var changes int
	for e, err := range db.Journal(ctx, s, backend.JournalRange{From: 1, At: at}) {
		require.NoError(t, err)
		changes += len(e.Changes)
	}
	require.Equal(t, len(want), changes)
}

// What a huge commit took is not kept for the next one, whatever was huge of it.
func TestPlansForgetHugeCommits(t *testing.T) {
	for name, grow := range map[string]func(*plan){
		"writes":     func(p *plan) { p.writes = make([]planWrite, maxPooled+1) },
		"events":     func(p *plan) { p.events = make([]planEvent, maxPooled+1) },
		"conditions": func(p *plan) { p.conditions = make([]backend.Record, maxPooled+1) },
		"out":        func(p *plan) { p.out = make([]byte, maxPooledBytes+1) },
		"journals":   func(p *plan) { p.journals = make([]byte, maxPooledBytes+1) },
		"values":     func(p *plan) { p.scratch2 = make([]byte, maxPooledBytes+1) },
	} {
		t.Run(name, func(t *testing.T) {
			p := &plan{patches: make([]int, 8)}
			grow(p)
			p.reset()
			require.Equal(t, &plan{}, p)
		})
	}
	p := &plan{patches: make([]int, 8), out: make([]byte, 8), handed: true}
	p.reset()
	require.Nil(t, p.out, "Pebble may have it")
	require.Equal(t, 8, cap(p.patches))
}
