package inmem_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// primitivesOf lists the methods of a handle that return a primitive, with their types.
func primitivesOf(handle any) map[string]reflect.Type {
	found := map[string]reflect.Type{}
	t := reflect.TypeOf(handle)
	for i := range t.NumMethod() {
		m := t.Method(i)
		if m.Type.NumOut() != 1 {
			continue
		}
		if out := m.Type.Out(0); strings.Contains(out.PkgPath(), "/pkg/primitives/") {
			found[m.Name] = m.Type
		}
	}
	return found
}

// R083: every primitive has one implementation. A run, a transaction and a view hand out the same
// types from the same methods, and a shared namespace does so for what it has.
func TestR083OneImplementation(t *testing.T) {
	run := primitivesOf((*inmem.Run)(nil))
	names := make([]string, 0, len(run))
	for name := range run {
		names = append(names, name)
	}
	slices.Sort(names)
	require.Equal(t, []string{"Cell", "Cells", "Collections", "Events", "Extension", "KV", "Record",
		"Traces", "Vectors"}, names)
	// What is about all runs begins at the database, not at one of them.
	all := primitivesOf((*inmem.DB)(nil))
	require.Len(t, all, 1)
	for _, handle := range []any{(*inmem.Tx)(nil), (*inmem.View)(nil)} {
		other := primitivesOf(handle)
		require.Equal(t, signature(all["Runs"]), signature(other["Runs"]), "%T.Runs", handle)
		delete(other, "Runs")
		require.Len(t, other, len(run), "%T", handle)
		for name, want := range run {
			got := other[name]
			require.NotNil(t, got, "%T has no %s", handle, name)
			require.Equal(t, signature(want), signature(got), "%T.%s", handle, name)
		}
	}
	shared := primitivesOf((*inmem.Shared)(nil))
	require.Len(t, shared, len(run)-1, "everything but the record of a run")
	for name, got := range shared {
		require.Equal(t, signature(run[name]), signature(got), "Shared.%s", name)
	}
}

// signature is a method's parameters and result without the receiver.
func signature(m reflect.Type) []reflect.Type {
	var list []reflect.Type
	for i := 1; i < m.NumIn(); i++ {
		list = append(list, m.In(i))
	}
	return append(list, m.Out(0))
}
