package vecindex

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// A column answers every comparison as the filter itself does, value by value.
func TestColumnsAgreeWithFilters(t *testing.T) {
	values := []any{
		-1, 0, 1, 2, math.MaxInt64, -1.5, 0.0, math.Copysign(0, -1), 1.0, math.Inf(1), math.Inf(-1),
		math.NaN(), "", "a", "b", []byte{}, []byte{1}, nil, true, []int{1}, map[string]int{"a": 1},
	}
	path, err := vector.ParsePath("x")
	require.NoError(t, err)
	col := newColumn(path)
	var rows []codec.Value
	c := &content{columns: map[string]*column{"x": col}}
	check := func() {
		for _, value := range values {
			for _, f := range []*vector.Filter{
				vector.Eq("x", value), vector.Ne("x", value), vector.Lt("x", value),
				vector.Le("x", value), vector.Gt("x", value), vector.Ge("x", value),
				vector.In("x", value, 1, "a", 1), vector.Exists("x"),
				vector.Not(vector.Eq("x", value)), vector.And(), vector.Or(),
				vector.And(vector.Exists("x"), vector.Ne("x", value)),
			} {
				if f.Validate() != nil {
					continue // some have no order
				}
				pass, n := c.pass(f, len(rows)), 0
				for i, row := range rows {
					require.Equal(t, f.Matches(row), pass.Contains(vector.Slot(i)), "%s of %s", f, row)
					if f.Matches(row) {
						n++
					}
				}
				require.Equal(t, n, pass.Count(), "%s", f)
				share := c.share(f, len(rows))
				require.True(t, share >= 0 && share <= 1, "%s: %v", f, share)
			}
		}
	}
	for _, value := range append([]any{1, "b"}, values...) {
		row, err := codec.ValueOf(map[string]any{"x": value})
		require.NoError(t, err)
		col.add(vector.Slot(len(rows)), row)
		rows = append(rows, row)
		check()
	}
	rows = append(rows, codec.Null())
	check()
}
