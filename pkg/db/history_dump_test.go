package inmem_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// dump is everything that can be read, by what it is about: "run kv \"key\"" and so on.
type dump map[string]string

// dumpOf reads the index of runs, all runs in it, and other places that have a name.
func dumpOf(t testing.TB, d *inmem.DB, extensions []string, more map[string]place) dump {
	t.Helper()
	ctx := t.Context()
	all := dump{}
	places := map[string]place{}
	for name, p := range more {
		places[name] = p
	}
	for i, err := range d.Runs().All(ctx, inmem.RunQuery{IncludeArchived: true}) {
		require.NoError(t, err)
		run, err := d.Run(ctx, i.ID)
		require.NoError(t, err)
		places[i.ID] = run
		all["run "+i.ID] = infoText(i)
		info, err := run.Info(ctx)
		require.NoError(t, err)
		all[i.ID+" commits"] = fmt.Sprint(info.FirstVersion, info.LastVersion, info.Commits)
		for _, tag := range i.Tags {
			all.note(fmt.Sprintf("runs tagged %q", tag), i.ID)
		}
		all.note(fmt.Sprintf("runs of %q", i.Tenant), i.ID)
		all.note("runs under "+i.Parent, i.ID)
	}
	for key := range all {
		all.found(t, d, key)
	}
	for name, p := range places {
		all.place(t, name, p, extensions)
	}
	return all
}

func (all dump) note(key, what string) { all[key] += what + " " }

// found replaces what was collected from the records by what the index of runs says.
func (all dump) found(t testing.TB, d *inmem.DB, key string) {
	t.Helper()
	q := inmem.RunQuery{IncludeArchived: true}
	if text, ok := strings.CutPrefix(key, "runs tagged "); ok {
		tag, err := strconv.Unquote(text)
		require.NoError(t, err)
		q.Tags = []string{tag}
	} else if text, ok := strings.CutPrefix(key, "runs of "); ok && text != `""` {
		tenant, err := strconv.Unquote(text)
		require.NoError(t, err)
		q.Tenant = tenant
	} else {
		return
	}
	want := all[key]
	all[key] = ""
	for i, err := range d.Runs().All(t.Context(), q) {
		require.NoError(t, err)
		all.note(key, i.ID)
	}
	require.Equal(t, want, all[key], "the index of runs differs from their records: %s", key)
}

// place reads all primitives of a run or shared namespace.
func (all dump) place(t testing.TB, name string, p place, extensions []string) {
	t.Helper()
	all.keys(t, name+" kv", p.KV())
	for _, x := range extensions {
		all.keys(t, fmt.Sprintf("%s x:%q", name, x), p.Extension(x))
	}
	all.events(t, name, p)
	all.cells(t, name, p)
	all.spans(t, name, p)
}

func (all dump) keys(t testing.TB, name string, k inmem.KV) {
	t.Helper()
	text := lines(k.Scan(t.Context(), inmem.ScanOptions{}), func(p kv.Pair) string {
		e, err := k.GetVersioned(t.Context(), p.Key)
		require.NoError(t, err)
		require.Equal(t, p.Value, e.Value)
		all[fmt.Sprintf("%s %q", name, p.Key)] = fmt.Sprint(e.Value, e.Version, e.Expires)
		return ""
	})
	require.False(t, failed(text), text)
}

func (all dump) events(t testing.TB, name string, p place) {
	t.Helper()
	ctx := t.Context()
	log := p.Events()
	for e, err := range log.List(ctx, inmem.EventOptions{}) {
		require.NoError(t, err)
		all[fmt.Sprintf("%s event %d.", name, e.Seq)] = eventText(e)
	}
	for typ, err := range log.Types(ctx) {
		require.NoError(t, err)
		all[fmt.Sprintf("%s events of %q", name, typ)] =
			lines(log.List(ctx, inmem.EventOptions{Type: typ}), eventText)
	}
	v, err := log.Verify(ctx)
	require.NoError(t, err)
	require.True(t, v.Valid, v.Reason)
}

func (all dump) cells(t testing.TB, name string, p place) {
	t.Helper()
	ctx := t.Context()
	for cell, err := range p.Cells().List(ctx, "") {
		require.NoError(t, err)
		st, err := p.Cell(cell).Load(ctx)
		require.NoError(t, err)
		m, ok, err := p.Cell(cell).Machine(ctx)
		require.NoError(t, err)
		all[fmt.Sprintf("%s cell %q", name, cell)] =
			fmt.Sprint(st.Value, st.Version, clockText(st.Updated), ok, m)
	}
}

func (all dump) spans(t testing.TB, name string, p place) {
	t.Helper()
	ctx := t.Context()
	tags := map[string]bool{}
	for s, err := range p.Traces().List(ctx, inmem.SpanFilter{}) {
		require.NoError(t, err)
		all[fmt.Sprintf("%s span %q", name, s.ID)] = spanText(s)
		for _, tag := range s.Tags {
			tags[tag] = true
		}
		kids := lines(p.Traces().Children(ctx, s.ID), spanText)
		if kids != "" {
			all[fmt.Sprintf("%s spans under %q", name, s.ID)] = kids
		}
	}
	for tag := range tags {
		all[fmt.Sprintf("%s spans tagged %q", name, tag)] =
			lines(p.Traces().List(ctx, inmem.SpanFilter{Tag: tag}), spanText)
	}
	for _, typ := range spanTypes {
		all[fmt.Sprintf("%s spans of %s", name, typ)] =
			lines(p.Traces().List(ctx, inmem.SpanFilter{Type: typ}), spanText)
	}
}

// differences are what two dumps differ in, without what is expected to differ.
func (all dump) differences(other dump, expected ...string) (keys []string) {
	differ := func(key string) {
		a, inA := all[key]
		b, inB := other[key]
		if (a != b || inA != inB) && !slices.Contains(keys, key) && !slices.ContainsFunc(expected,
			func(prefix string) bool { return strings.HasPrefix(key, prefix) }) {
			keys = append(keys, key)
		}
	}
	for key := range all {
		differ(key)
	}
	for key := range other {
		differ(key)
	}
	slices.Sort(keys)
	return keys
}
