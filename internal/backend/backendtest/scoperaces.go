package backendtest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// scopeRaceChecks let writers run against what ends their scope.
var scopeRaceChecks = []Check{
	{"nothing-is-written-after-the-end", func(w *world) {
		for _, status := range []codec.Status{codec.Paused, codec.Completed} {
			s := w.scope()
			sealed := w.writersAgainst(s, func() uint64 { return w.setStatus(again(s), status) },
				backend.ErrScopeNotActive)
			for _, p := range w.scan(s, backend.Range{}, w.b.Published()) {
				require.Less(w, p.record.Version, sealed)
			}
		}
	}},
	{"E90-nothing-is-written-after-deletion", func(w *world) {
		s := w.scope()
		dropped := w.writersAgainst(s, func() uint64 { return w.drop(again(s)) },
			backend.ErrScopeGone)
		for _, c := range w.tail(dropped + 1) {
			for _, changes := range c.Scopes {
				require.NotEqual(w, s.Number, changes.Scope, "commit %d wrote", c.Version)
			}
		}
	}},
	{"one-of-many-creators-wins", func(w *world) {
		for range rounds(20) {
			handles := make([]*backend.Scope, 8)
			won := make([]bool, len(handles))
			shared := w.allocate().Record
			for i := range handles {
				handles[i] = &backend.Scope{Number: w.allocate().Number, Record: shared}
			}
			w.parallel(len(handles), func(i int) {
				r := w.creation(handles[i], codec.Active)
				r.Writes = append(r.Writes, put(handles[i], "mine", fmt.Sprint(i)))
				_, err := w.b.Commit(w.ctx, r)
				won[i] = err == nil
				if err != nil {
					require.ErrorIs(w, err, backend.ErrVersionMismatch)
				}
			})
			winners := 0
			for i, s := range handles {
				if won[i] {
					winners++
					w.wantValue(s, "mine", fmt.Sprint(i))
				} else {
					w.wantNoWrites(s)
				}
			}
			require.Equal(w, 1, winners)
		}
	}},
}

// writersAgainst lets eight goroutines write to a scope until they are refused with the expected
// error, ends the scope meanwhile, and returns the version at which it ended.
func (w *world) writersAgainst(s *backend.Scope, end func() uint64, refusal error) uint64 {
	w.Helper()
	const writers = 8
	var ended atomic.Uint64
	last := make([]uint64, writers)
	w.parallel(writers+1, func(i int) {
		if i == writers {
			w.sleep(5 * time.Millisecond)
			ended.Store(end())
			return
		}
		handle := again(s)
		for n := 0; w.going(); n++ {
			over := ended.Load() != 0
			out, err := w.b.Commit(w.ctx, &backend.Request{
				Writes:  []backend.Write{put(handle, fmt.Sprintf("%d/%d", i, n%10), "0")},
				Appends: []backend.Append{event(handle, "step", "0")},
			})
			if err != nil {
				require.ErrorIs(w, err, refusal)
				return
			}
			require.False(w, over, "commit %d began after the end of its scope", out.Version)
			last[i] = out.Version
		}
	})
	for _, v := range last {
		require.Less(w, v, ended.Load(), "a write succeeded after the scope had ended")
	}
	return ended.Load()
}

// sleep waits in real time, but not longer than the check may last.
func (w *world) sleep(d time.Duration) {
	ctx, cancel := context.WithTimeout(w.ctx, d)
	defer cancel()
	<-ctx.Done()
}
