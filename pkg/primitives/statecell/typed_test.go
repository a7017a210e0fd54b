package statecell

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

type plan struct {
	Goal  string    `inmem:"goal"`
	Steps []string  `inmem:"steps"`
	Due   time.Time `inmem:"due"`
}

// R170: a typed cell does what the cell does, with Go values.
func TestR170TypedCell(t *testing.T) {
	ctx := t.Context()
	for _, f := range forms {
		w := newWorld(t)
		due := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
		require.NoError(t, f.on(w, func(x Cells) error {
			c := CellOf[plan](x, "plan")
			require.Equal(t, "plan", c.Name())
			require.Equal(t, "plan", c.Cell().Name())
			s, err := c.Load(ctx)
			require.NoError(t, err)
			require.Equal(t, StateOf[plan]{}, s)
			_, err = c.Update(ctx, func(p plan) (plan, error) { return p, nil })
			require.ErrorIs(t, err, ErrNotFound)
			must(t)(c.Init(ctx, plan{Goal: "g", Due: due}))
			_, err = c.Init(ctx, plan{})
			require.ErrorIs(t, err, ErrExists)
			s, err = c.Update(ctx, func(p plan) (plan, error) {
				p.Steps = append(p.Steps, "one")
				return p, nil
			})
			require.NoError(t, err)
			require.Equal(t, plan{"g", []string{"one"}, due}, s.Value)
			require.True(t, s.Exists)
			got, err := c.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, s, got)
			boom := errors.New("boom")
			_, err = c.Update(ctx, func(p plan) (plan, error) { return p, boom })
			require.ErrorIs(t, err, boom)
			ok, err := c.Exists(ctx)
			require.NoError(t, err)
			require.True(t, ok)
			return nil
		}), f.name)
		c := CellOf[plan](w.cells(), "plan")
		s, err := c.Load(ctx)
		require.NoError(t, err)
		require.Equal(t, plan{"g", []string{"one"}, due}, s.Value)
		require.Equal(t, w.now, s.Updated)
		v := must(t)(c.CompareAndSwap(ctx, s.Version, plan{Goal: "h"}))
		_, err = c.CompareAndSwap(ctx, s.Version, plan{Goal: "i"})
		requireLost(t, err, s.Version, v)
		must(t)(c.Store(ctx, plan{Goal: "j"}))
		existed, err := c.Delete(ctx)
		require.NoError(t, err)
		require.True(t, existed)
		n := CellOf[int](w.cells(), "n")
		for range 3 {
			_, err := n.UpdateOrInit(ctx, 10, func(i int) (int, error) { return i + 1, nil })
			require.NoError(t, err)
		}
		i, err := n.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 13, i.Value)
	}
}

// A value that is no T is an error that names the type, in every method that looks at it; what is
// no value is refused before anything is written.
func TestTypedMismatch(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	must(t)(w.cell("c").Store(ctx, codec.String("text")))
	wrong := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, codec.ErrTypeMismatch)
		require.ErrorContains(t, err, `run the-run name "c"`)
	}
	n := CellOf[int64](w.cells(), "c")
	_, err := n.Get(ctx)
	wrong(err)
	require.ErrorContains(t, err, "expected int64, found String")
	_, err = n.Load(ctx)
	wrong(err)
	_, err = n.Update(ctx, func(i int64) (int64, error) { t.Error("called"); return i, nil })
	wrong(err)
	for _, err := range []error{
		second(CellOf[int](w.cells(), "c").Get(ctx)), second(CellOf[bool](w.cells(), "c").Get(ctx)),
		second(CellOf[float64](w.cells(), "c").Get(ctx)), second(CellOf[plan](w.cells(), "c").Get(ctx)),
	} {
		wrong(err)
	}
	must(t)(w.cell("c").Store(ctx, codec.Int(1)))
	wrong(second(CellOf[string](w.cells(), "c").Get(ctx)))
	wrong(second(CellOf[float64](w.cells(), "c").Get(ctx)))

	bad := CellOf[func()](w.cells(), "c")
	_, err = bad.Init(ctx, nil)
	wrong(err)
	_, err = bad.Store(ctx, nil)
	wrong(err)
	_, err = bad.CompareAndSwap(ctx, 0, nil)
	wrong(err)
	_, err = bad.UpdateOrInit(ctx, nil, nil)
	wrong(err)
	text := CellOf[string](w.cells(), "d")
	_, err = text.UpdateOrInit(ctx, "", func(string) (string, error) { return "\xff", nil })
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	ok, err := text.Exists(ctx)
	require.NoError(t, err)
	require.False(t, ok)
}

func second[T any](_ T, err error) error { return err }

// Every type with a short way reads what Decode reads.
func TestTypedKinds(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	reads := func(v codec.Value, get func(Cells) (any, error), want any) {
		t.Helper()
		must(t)(w.cell("c").Store(ctx, v))
		got, err := get(w.cells())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	reads(codec.String("s"), as[string], "s")
	reads(codec.Bool(true), as[bool], true)
	reads(codec.Int(-7), as[int], -7)
	reads(codec.Int(-7), as[int64], int64(-7))
	reads(codec.Int(7), as[uint8], uint8(7))
	reads(codec.Float(0.5), as[float64], 0.5)
	reads(codec.Bytes([]byte("b")), as[[]byte], []byte("b"))
	reads(codec.Null(), as[*int], (*int)(nil))
	reads(codec.Int(1), as[codec.Value], codec.Int(1))
	reads(codec.Int(1), as[any], int64(1))
}

func as[T any](x Cells) (any, error) {
	s, err := CellOf[T](x, "c").Get(context.Background())
	return s.Value, err
}
