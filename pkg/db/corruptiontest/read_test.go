package corruptiontest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

const (
	dim       = 4
	fewRows   = 40
	manyRows  = 4200 // an index of fewer than 4096 has no file
	kindGraph = vector.KindGraph
)

// parts are all that can be read of a database: digests by what they are of.
type parts map[string]string

// reader reads the parts of a database.
type reader struct {
	shared []inmem.Namespace
	at     []uint64 // versions that are looked at
}

// reading is one reading under way.
type reading struct {
	t      testing.TB
	d      *inmem.DB
	parts  parts
	failed map[string]error // parts that could not be read
	left   map[string]bool  // parts that were not read, because so many could not be
}

// fewFailures is when a reading gives up, but in long form: Pebble looks for the flipped bit
// whenever it meets a damaged block, and takes a tenth of a second for it.
const fewFailures = 4

// read reads everything. What a run is cannot depend on other parts, so a damaged place costs the
// parts that lie there.
func (r *reader) read(t testing.TB, d *inmem.DB, known parts) *reading {
	t.Helper()
	x := &reading{t: t, d: d, parts: parts{}, failed: map[string]error{},
		left: map[string]bool{}}
	ctx, ids := t.Context(), map[string]bool{}
	x.part("runs", func(w io.Writer) error {
		for i, err := range d.Runs().All(ctx, inmem.RunQuery{IncludeArchived: true}) {
			if err != nil {
				return err
			}
			if i.Agent == afterwards {
				continue
			}
			ids[i.ID] = true
			i.Interrupted = false // by whom it was opened, not what is in it
			fmt.Fprintf(w, "%+v\n", i)
		}
		for i, err := range d.Runs().All(ctx, inmem.RunQuery{Tenant: "acme", Tags: []string{"a"}}) {
			if err != nil {
				return err
			}
			fmt.Fprintln(w, i.ID)
		}
		return nil
	})
	for name := range known { // the index of runs may be what is damaged
		if id, ok := strings.CutSuffix(name, " kv"); ok && !strings.Contains(id, "/") && len(id) == 36 {
			ids[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		run, err := d.Run(ctx, id)
		if err != nil {
			if !errors.Is(err, inmem.ErrRunNotFound) {
				x.failed[id+" handle"] = err
			}
			continue
		}
		x.place(id, run)
		x.history(id, run.Replay)
		for _, v := range r.at {
			x.part(fmt.Sprint(id, " hash at ", v), func(w io.Writer) error {
				h, err := run.StateHash(ctx, v)
				fmt.Fprint(w, h)
				return err
			})
		}
	}
	for _, n := range r.shared {
		s, err := d.Shared(ctx, n)
		if err != nil {
			x.failed[n.String()+" handle"] = err
			continue
		}
		x.place(n.String(), s)
		x.history(n.String(), s.Replay)
	}
	return x
}

func (r *reader) mustRead(t testing.TB, d *inmem.DB) parts {
	t.Helper()
	x := r.read(t, d, nil)
	require.Empty(t, x.failed)
	return x.parts
}

// part reads one part.
func (x *reading) part(name string, fn func(io.Writer) error) {
	if _, long := places(x.t); len(x.failed) >= fewFailures && !long {
		x.left[name] = true
		return
	}
	h := sha256.New()
	if err := fn(h); err != nil {
		if !errors.Is(err, inmem.ErrRunNotFound) {
			x.failed[name] = err
		}
		return
	}
	x.parts[name] = fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// place is a run or a shared namespace.
type place interface {
	KV() inmem.KV
	Events() inmem.Events
	Cell(string) inmem.Cell
	Cells() inmem.Cells
	Traces() inmem.Traces
	Vectors(string) inmem.Vectors
	Extension(string) inmem.KV
}

func (x *reading) place(name string, p place) {
	ctx := x.t.Context()
	x.part(name+" kv", func(w io.Writer) error { return x.keys(w, p.KV()) })
	x.part(name+" extension", func(w io.Writer) error { return x.keys(w, p.Extension("mine")) })
	x.part(name+" events", func(w io.Writer) error {
		for e, err := range p.Events().List(ctx, inmem.EventOptions{}) {
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%v\n", e)
		}
		for e, err := range p.Events().List(ctx, inmem.EventOptions{Type: "type 1"}) {
			if err != nil {
				return err
			}
			fmt.Fprintln(w, e.Seq)
		}
		v, err := p.Events().Verify(ctx)
		if err == nil && !v.Valid {
			err = errors.New("wrong: " + v.Reason)
		}
		return err
	})
	x.part(name+" cells", func(w io.Writer) error {
		for cell, err := range p.Cells().List(ctx, "") {
			if err != nil {
				return err
			}
			st, err := p.Cell(cell).Load(ctx)
			if err != nil {
				return err
			}
			m, ok, err := p.Cell(cell).Machine(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintln(w, cell, st.Value, st.Version, st.Updated.UnixNano(), ok, m)
		}
		return nil
	})
	x.part(name+" spans", func(w io.Writer) error {
		for _, f := range []inmem.SpanFilter{{}, {Tag: "t"}, {Type: inmem.SpanToolCall}} {
			for s, err := range p.Traces().List(ctx, f) {
				if err != nil {
					return err
				}
				fmt.Fprintf(w, "%+v\n", s)
			}
		}
		return nil
	})
	x.part(name+" vectors", func(w io.Writer) error { return x.vectors(w, p.Vectors("facts")) })
}

func (x *reading) keys(w io.Writer, k inmem.KV) error {
	ctx := x.t.Context()
	for p, err := range k.Scan(ctx, inmem.ScanOptions{}) {
		if err != nil {
			return err
		}
		e, err := k.GetVersioned(ctx, p.Key)
		if err != nil {
			return err
		}
		if !e.Value.Equal(p.Value) {
			return fmt.Errorf("wrong: scan and get of %s differ", p.Key)
		}
		fmt.Fprintf(w, "%q %v %d %d\n", p.Key, p.Value, e.Version, e.Expires.UnixNano())
	}
	return nil
}

// vectors are read as rows and by searches: exact ones, and one by the graph, which must find the
// row itself.
func (x *reading) vectors(w io.Writer, c inmem.Vectors) error {
	ctx, n := x.t.Context(), 0
	if _, err := c.Describe(ctx); errors.Is(err, inmem.ErrNotFound) {
		return nil
	}
	for row, err := range c.Scroll(ctx, inmem.ScrollOptions{}) {
		if err != nil {
			return err
		}
		fmt.Fprintln(w, row.ID, row.Version, row.Vector)
		if n++; n != 33 {
			continue
		}
		for _, strategy := range []vector.Strategy{0, vector.Scan} {
			found, err := c.Search(ctx, inmem.SearchOptions{
				Vector: row.Vector, K: 3, Strategy: strategy, WithVectors: true,
			})
			if err != nil {
				return err
			}
			if len(found.Hits) == 0 || found.Hits[0].ID != row.ID || found.Hits[0].Score != 0 {
				return fmt.Errorf("wrong: %s does not find itself: %v", row.ID, found)
			}
			if strategy != 0 {
				fmt.Fprintln(w, found.Hits)
			}
		}
	}
	return nil
}

func (x *reading) history(
	name string, replay func(context.Context, inmem.ReplayOptions) iter.Seq2[inmem.Commit, error],
) {
	x.part(name+" history", func(w io.Writer) error {
		for c, err := range replay(x.t.Context(), inmem.ReplayOptions{}) {
			if err != nil {
				return err
			}
			fmt.Fprintln(w, c.Version, c.Number, c.Time.UnixNano())
			for _, change := range c.Changes {
				text, err := change.MarshalJSON()
				if err != nil {
					return err
				}
				fmt.Fprintf(w, "%s\n", text)
			}
		}
		return nil
	})
}
