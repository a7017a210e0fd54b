// Package enginetest is the test of every engine that is measured: what it answers is compared with
// a map, step by step, in both modes and through reopenings. An adapter that is wrong would make a
// comparison worthless.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

const memory = 256 << 20

// Run is the whole test of one engine.
func Run(t *testing.T, e engine.Engine) {
	require.NotEmpty(t, e.Name)
	require.NotEmpty(t, e.About)
	for _, mode := range []string{engine.Strict, engine.Batched} {
		require.NotEmpty(t, e.Durability[mode], mode)
		t.Run(mode, func(t *testing.T) {
			t.Run("twin", func(t *testing.T) { twin(t, e, mode) })
			t.Run("counter", func(t *testing.T) { counter(t, e, mode) })
			t.Run("together", func(t *testing.T) { together(t, e, mode) })
		})
	}
}

func open(t *testing.T, e engine.Engine, dir, mode string, workers int) engine.Store {
	s, err := e.Open(context.Background(), dir,
		engine.Options{Mode: mode, Memory: memory, Workers: workers})
	require.NoError(t, err)
	return s
}

// model is the map, with the store that must agree with it.
type model struct {
	t     *testing.T
	e     engine.Engine
	ctx   context.Context
	rng   *rand.Rand
	store engine.Store
	want  map[string]string
}

// key draws from few keys in few groups, so that much is overwritten and much is absent.
func (m *model) key() string {
	return fmt.Sprintf("group-%d/key-%02d", m.rng.IntN(3), m.rng.IntN(12))
}

func (m *model) value() string {
	return strings.Repeat(fmt.Sprint(m.rng.IntN(10)), 1+m.rng.IntN(200))
}

func twin(t *testing.T, e engine.Engine, mode string) {
	dir := t.TempDir()
	m := &model{t: t, e: e, ctx: context.Background(), rng: rand.New(rand.NewPCG(1, 2)),
		want: map[string]string{}, store: open(t, e, dir, mode, 1)}
	steps := []func(){m.put, m.put, m.delete, m.update, m.abandon, m.cas, m.view, m.scan, m.load}
	for i := range 300 {
		steps[m.rng.IntN(len(steps))]()
		m.agree()
		if i%100 == 99 && !e.Limit {
			require.NoError(t, m.store.Flush(m.ctx))
			require.NoError(t, m.store.Close())
			m.store = open(t, e, dir, mode, 1)
			m.agree()
			m.scan()
		}
	}
	require.NoError(t, m.store.Close())
}

// expect compares one key; what is read is appended.
func (m *model) expect(r engine.Reader, key string) {
	got, found, err := r.Get(m.ctx, key, []byte("before "))
	require.NoError(m.t, err)
	want, there := m.want[key]
	require.Equal(m.t, there, found, key)
	require.Equal(m.t, "before "+want, string(got), key)
}

func (m *model) agree() {
	for range 3 {
		m.expect(m.store, m.key())
	}
}

func (m *model) put() {
	k, v := m.key(), m.value()
	require.NoError(m.t, m.store.Put(m.ctx, k, v))
	m.want[k] = v
	m.expect(m.store, k)
}

func (m *model) delete() {
	k := m.key()
	existed, err := m.store.Delete(m.ctx, k)
	require.NoError(m.t, err)
	_, there := m.want[k]
	require.Equal(m.t, there, existed)
	delete(m.want, k)
}

// update reads its own writes, and all of it is there afterwards.
func (m *model) update() {
	require.NoError(m.t, m.store.Update(m.ctx, func(tx engine.Tx) error {
		for range m.rng.IntN(5) {
			m.expect(tx, m.key())
			k, v := m.key(), m.value()
			m.want[k] = v
			if err := tx.Put(m.ctx, k, v); err != nil {
				return err
			}
			m.expect(tx, k)
		}
		return nil
	}))
}

// abandon fails in the middle: nothing of it is there afterwards. A limit takes nothing back.
func (m *model) abandon() {
	if m.e.Limit {
		return
	}
	broken := errors.New("broken")
	err := m.store.Update(m.ctx, func(tx engine.Tx) error {
		if err := tx.Put(m.ctx, m.key(), "never"); err != nil {
			return err
		}
		return broken
	})
	require.ErrorIs(m.t, err, broken)
}

func (m *model) cas() {
	k, v := m.key(), m.value()
	expected, there := m.want[k]
	right := m.rng.IntN(2) == 0
	if !right {
		expected += "x"
	}
	swapped, err := m.store.CAS(m.ctx, k, expected, v)
	require.NoError(m.t, err)
	require.Equal(m.t, there && right, swapped)
	if swapped {
		m.want[k] = v
	}
}

// view does not see what is written while it looks.
func (m *model) view() {
	k := m.key()
	require.NoError(m.t, m.store.View(m.ctx, func(r engine.Reader) error {
		m.expect(r, k)
		return nil
	}))
}

func (m *model) scan() {
	if m.e.Limit {
		err := m.store.Scan(m.ctx, "", "", func(string, string) bool { return true })
		require.ErrorIs(m.t, err, engine.ErrUnsupported)
		return
	}
	prefix, from := fmt.Sprintf("group-%d/", m.rng.IntN(4)), ""
	if m.rng.IntN(2) == 0 {
		from = fmt.Sprintf("%skey-%02d", prefix, m.rng.IntN(12))
	}
	most := m.rng.IntN(8)
	var want []string
	for _, k := range slices.Sorted(maps.Keys(m.want)) {
		if strings.HasPrefix(k, prefix) && k >= from && len(want) < most {
			want = append(want, k+"="+m.want[k])
		}
	}
	var got []string
	err := m.store.Scan(m.ctx, prefix, from, func(k, v string) bool {
		if len(got) < most {
			got = append(got, strings.Clone(k)+"="+strings.Clone(v))
		}
		return len(got) < most
	})
	require.NoError(m.t, err)
	require.Equal(m.t, want, got)
}

func (m *model) load() {
	all := make([][2]string, m.rng.IntN(30))
	for i := range all {
		all[i] = [2]string{m.key(), m.value()}
		m.want[all[i][0]] = all[i][1]
	}
	require.NoError(m.t, m.store.Load(m.ctx, len(all), func(i int) (string, string) {
		return all[i][0], all[i][1]
	}))
}

// counter loses no increment of several goroutines, whatever the engine does about conflicts.
func counter(t *testing.T, e engine.Engine, mode string) {
	const workers, each = 4, 20
	s := open(t, e, t.TempDir(), mode, workers)
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() { errs[w] = increments(s, each) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	got, found, err := s.Get(context.Background(), "counter", nil)
	require.NoError(t, err)
	require.True(t, found)
	require.Len(t, got, workers*each)
	require.NoError(t, s.Close())
}

func increments(s engine.Store, n int) error {
	ctx := context.Background()
	for done := 0; done < n; {
		err := s.Update(ctx, func(tx engine.Tx) error {
			got, _, err := tx.Get(ctx, "counter", nil)
			if err != nil {
				return err
			}
			return tx.Put(ctx, "counter", string(got)+"x")
		})
		switch {
		case err == nil:
			done++
		case errors.Is(err, engine.ErrConflict):
			time.Sleep(time.Millisecond)
		default:
			return err
		}
	}
	return nil
}

// together writes and reads with several goroutines at once.
func together(t *testing.T, e engine.Engine, mode string) {
	const workers, each = 8, 20
	ctx := context.Background()
	s := open(t, e, t.TempDir(), mode, workers)
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprintf("w%d/%d", w, i)
				err := s.Put(ctx, key, key)
				got, _, getErr := s.Get(ctx, key, nil)
				if string(got) != key {
					err = fmt.Errorf("key %s holds %q", key, got)
				}
				errs[w] = errors.Join(errs[w], err, getErr)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.NoError(t, s.Close())
}
