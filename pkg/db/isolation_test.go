package inmem_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// crowd are many runs and some shared namespaces that all use the same names.
type crowd struct {
	t      *testing.T
	a      *authority
	d      *inmem.DB
	clock  *testClock
	ids    []string
	runs   map[string]*inmem.Run
	shared map[string]place
}

var crowdSpaces = []inmem.Namespace{
	{Tenant: "t0"}, {Tenant: "t0", App: "app"}, {Tenant: "t1", App: "app", Agent: "agent"},
}

func newCrowd(t *testing.T, n int, open func(testing.TB, *testClock) *authority) *crowd {
	c := &crowd{t: t, clock: newTestClock(), runs: map[string]*inmem.Run{}}
	c.a = open(t, c.clock)
	c.assemble()
	for i := range n { // E92: the ids differ in the last characters
		c.ids = append(c.ids, fmt.Sprintf("01890000-0000-7000-8000-%012d", i))
		c.begin(i)
	}
	return c
}

func (c *crowd) assemble() {
	var err error
	c.d, err = inmem.OpenOn(inmem.Hooks{Backend: staying{c.a.b}, Epoch: c.a.epoch}, nil)
	require.NoError(c.t, err)
	c.shared = map[string]place{}
	for _, n := range crowdSpaces {
		s, err := c.d.Shared(c.t.Context(), n)
		require.NoError(c.t, err)
		c.shared[n.String()] = s
	}
}

func (c *crowd) begin(i int) {
	c.t.Helper()
	o := inmem.RunOptions{ID: c.ids[i], Tenant: fmt.Sprintf("t%d", i%3), App: "app",
		Tags: []string{"all", fmt.Sprint("of ", i%5)}, Metadata: inmem.Int(int64(i))}
	if i > 0 {
		o.Parent = c.ids[(i-1)/2]
	}
	if _, err := c.d.Run(c.t.Context(), o.Parent); err != nil {
		o.Parent = ""
	}
	run, err := c.d.BeginRun(c.t.Context(), o)
	require.NoError(c.t, err)
	c.runs[c.ids[i]] = run
}

// write puts a mark into every primitive of a place, under names that are the same everywhere.
func (c *crowd) write(p place, mark string) {
	c.t.Helper()
	ctx := c.t.Context()
	v := inmem.String(mark)
	_, err := p.KV().Put(ctx, "user:1", v)
	require.NoError(c.t, err)
	_, err = p.Extension("queue").Put(ctx, "user:1", v)
	require.NoError(c.t, err)
	_, err = p.Events().Append(ctx, "user:1", v)
	require.NoError(c.t, err)
	_, err = p.Cell("user:1").Store(ctx, v)
	require.NoError(c.t, err)
	_, err = p.Cell("step").Define(ctx, inmem.Machine{Initial: mark})
	require.NoError(c.t, err)
	_, err = p.Traces().Start(ctx, inmem.Span{ID: "user:1", Type: inmem.SpanThought, Name: mark,
		Tags: []string{"user:1"}})
	require.NoError(c.t, err)
}

// holds demands that a place holds one mark, and nothing else.
func (c *crowd) holds(p place, mark string) {
	c.t.Helper()
	ctx := c.t.Context()
	pair := func(x kv.Pair) string { return fmt.Sprint(x.Key, "=", x.Value) }
	span := func(s inmem.Span) string { return fmt.Sprint(s.ID, "=", s.Name) }
	m, _, err := p.Cell("step").Machine(ctx)
	require.NoError(c.t, err)
	cell := func(name string) string {
		st, err := p.Cell(name).Get(ctx)
		require.NoError(c.t, err)
		return fmt.Sprint(name, "=", st.Value)
	}
	got := []string{
		lines(p.KV().Scan(ctx, inmem.ScanOptions{}), pair),
		lines(p.Extension("queue").Scan(ctx, inmem.ScanOptions{}), pair),
		lines(p.Events().List(ctx, inmem.EventOptions{}), func(e inmem.Event) string {
			return fmt.Sprint(e.Seq, e.Type, "=", e.Payload)
		}),
		lines(p.Events().Types(ctx), func(typ string) string { return typ }),
		lines(p.Cells().List(ctx, ""), cell), m.Initial,
		lines(p.Traces().List(ctx, inmem.SpanFilter{Tag: "user:1"}), span),
		lines(p.Traces().List(ctx, inmem.SpanFilter{}), span),
	}
	if mark == "" {
		require.Equal(c.t, make([]string, len(got)), got)
		return
	}
	both := fmt.Sprintf("user:1=%q", mark)
	require.Equal(c.t, []string{both, both, "0" + both, "user:1", both, mark, "user:1=" + mark,
		"user:1=" + mark}, got)
}

func (c *crowd) dump() dump {
	c.t.Helper()
	return dumpOf(c.t, c.d, []string{"queue", ""}, c.shared)
}

// R034, R021, E91, E92: what a hundred runs and three shared namespaces write under the same names
// is theirs alone, whoever of them is deleted, and a run that is begun again with an id is empty.
func TestR034Isolation(t *testing.T) {
	for _, a := range authorities {
		t.Run(a.name, func(t *testing.T) {
			n, deaths := 100, 12
			if testing.Short() {
				deaths = 4
			}
			c := newCrowd(t, n, a.make)
			defer func() { require.NoError(t, c.a.b.Close()) }()
			c.writeAll()
			rng := rand.New(rand.NewPCG(34, 1))
			for _, i := range rng.Perm(n)[:deaths] {
				c.rebirth(i)
			}
			c.tenantDies("t1")
			before := c.dump()
			require.NoError(t, c.d.Close())
			c.a.open(lossless)
			c.assemble()
			require.Empty(t, before.differences(c.dump()), "not the same after a restart")
		})
	}
}

// writeAll fills half of the places one by one, and the others in one transaction.
func (c *crowd) writeAll() {
	for i, id := range c.ids {
		if i%2 == 0 {
			c.write(c.runs[id], id)
		}
	}
	_, err := c.d.Update(c.t.Context(), func(tx *inmem.Tx) error {
		for i, id := range c.ids {
			if i%2 == 1 {
				c.write(tx.On(c.runs[id]), id)
			}
		}
		for name, s := range c.shared {
			c.write(tx.OnShared(s.(*inmem.Shared)), name)
		}
		return nil
	})
	require.NoError(c.t, err)
	for _, id := range c.ids {
		c.holds(c.runs[id], id)
	}
	for name, s := range c.shared {
		c.holds(s, name)
	}
}

// rebirth deletes a run and begins it again.
func (c *crowd) rebirth(i int) {
	c.t.Helper()
	ctx, id := c.t.Context(), c.ids[i]
	old := c.runs[id]
	before := c.dump()
	// What speaks of more than one run is compared with the records by dump itself.
	others := []string{id, "run " + id, "runs tagged", "runs of", "runs under"}
	require.NoError(c.t, c.d.DeleteRun(ctx, id))
	after := c.dump()
	require.Empty(c.t, before.differences(after, others...), "the deletion of %s", id)
	for key, text := range after {
		require.False(c.t, strings.HasPrefix(key, id) || strings.HasPrefix(key, "run "+id), key)
		require.False(c.t, strings.HasPrefix(key, "runs tagged") && strings.Contains(text, id), key)
	}
	require.ErrorIs(c.t, c.d.DeleteRun(ctx, id), inmem.ErrRunNotFound)

	c.begin(i)
	c.holds(c.runs[id], "")
	info, err := c.runs[id].Info(ctx)
	require.NoError(c.t, err)
	require.Zero(c.t, info.FirstVersion+info.LastVersion+info.Commits)
	for child, err := range c.runs[id].Record().Children(ctx) {
		require.NoError(c.t, err)
		require.Fail(c.t, "it has a child of the old run", "%s", child.ID)
	}
	_, err = old.KV().Put(ctx, "user:1", inmem.Null())
	require.ErrorIs(c.t, err, inmem.ErrRunNotFound, "the handle of the old run")
	c.holds(c.runs[id], "")
	c.write(c.runs[id], "again")
	c.holds(c.runs[id], "again")
	require.Empty(c.t, before.differences(c.dump(), others...), "the rebirth of %s", id)
}

// tenantDies deletes all runs and shared namespaces of a tenant.
func (c *crowd) tenantDies(tenant string) {
	c.t.Helper()
	ctx := c.t.Context()
	before := c.dump()
	want, err := c.d.Runs().Count(ctx, inmem.RunQuery{Tenant: tenant})
	require.NoError(c.t, err)
	gone := []string{"runs tagged", "runs of", "runs under"}
	for id, err := range c.d.Runs().All(ctx, inmem.RunQuery{Tenant: tenant}) {
		require.NoError(c.t, err)
		gone = append(gone, id.ID, "run "+id.ID)
	}
	n, err := c.d.DeleteTenant(ctx, tenant)
	require.NoError(c.t, err)
	require.Equal(c.t, want, n)
	for name, s := range c.shared {
		_, _, err := s.KV().Get(ctx, "user:1")
		if s.(*inmem.Shared).Namespace().Tenant != tenant {
			require.NoError(c.t, err)
			continue
		}
		require.ErrorIs(c.t, err, inmem.ErrRunNotFound, "a handle to what was deleted")
		gone = append(gone, name)
	}
	c.assemble() // finds the shared namespaces, or makes them anew
	after := c.dump()
	require.Empty(c.t, before.differences(after, gone...))
	for _, n := range crowdSpaces {
		if n.Tenant == tenant {
			c.holds(c.shared[n.String()], "")
		}
	}
}
