package trace

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// BenchmarkRecord stands beside a put of the same run: the bar is a ratio.
func BenchmarkRecord(b *testing.B) {
	open := func(b *testing.B) *world {
		return onEngine(b, embedded.Options{Dir: b.TempDir()})
	}
	b.Run("put", func(b *testing.B) {
		s := open(b).scope()
		text := codec.String(strings.Repeat("v", 100))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			data, err := codec.AppendValue(nil, text)
			require.NoError(b, err)
			_, err = s.Put(b.Context(), codec.KV, fmt.Sprintf("key-of-forty-bytes-%021d", i), data, 0)
			require.NoError(b, err)
		}
	})
	for name, s := range map[string]Span{
		"minimal": {Type: Thought},
		"child":   {Type: ToolCall, Name: "search", Parent: "root"},
		"tags":    {Type: ToolCall, Name: "search", Parent: "root", Tags: []string{"a", "b", "c"}},
		"full":    full(b),
	} {
		s.ID = ""
		b.Run(name, func(b *testing.B) {
			tr := open(b).traces()
			mustRecord(b, tr, Span{ID: "root", Type: Custom, Name: "root"})
			b.ReportAllocs()
			for b.Loop() {
				_, err := tr.Record(b.Context(), s)
				require.NoError(b, err)
			}
		})
	}
	b.Run("start and end", func(b *testing.B) {
		tr := open(b).traces()
		b.ReportAllocs()
		for b.Loop() {
			id, err := tr.Start(b.Context(), Span{Type: ToolCall, Name: "search"})
			require.NoError(b, err)
			require.NoError(b, tr.End(b.Context(), id, SpanEnd{}))
		}
	})
}

// BenchmarkRead: the tree of 13 nodes and the query by type of the original, and the rest beside.
func BenchmarkRead(b *testing.B) {
	w := onEngine(b, embedded.Options{Dir: b.TempDir()})
	ctx, tr := b.Context(), w.traces()
	_, err := w.m.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
		tr := New(tx.Scope(w.run))
		mustRecord(b, tr, Span{ID: "root", Type: Custom, Name: "root"})
		for i := range 3 {
			parent := mustRecord(b, tr, Span{Type: Decision, Parent: "root"})
			for range 3 {
				mustRecord(b, tr, Span{Type: ToolCall, Name: fmt.Sprint(i), Parent: parent,
					Tags: []string{"x", "y"}})
			}
		}
		for i := range 87 {
			mustRecord(b, tr, Span{Type: spanTypes[i%5+1], Name: "other"})
		}
		return nil
	})
	require.NoError(b, err)
	for name, call := range map[string]func() (int, error){
		"tree of 13": func() (int, error) {
			n, err := tr.Tree(ctx, "root")
			return len(n.Children), err
		},
		"by type, 9 of 100": func() (int, error) {
			return len(collect(b, tr.List(ctx, Filter{Type: ToolCall}))), nil
		},
		"count by type": func() (int, error) { return tr.Count(ctx, Filter{Type: ToolCall}) },
		"get": func() (int, error) {
			_, _, err := tr.Get(ctx, "root")
			return 1, err
		},
		"rollup run of 100": func() (int, error) {
			r, err := tr.RollupRun(ctx)
			return r.Spans, err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n, err := call()
				require.NoError(b, err)
				require.NotZero(b, n)
			}
		})
	}
}
