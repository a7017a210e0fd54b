package eventlog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

const payload = "a payload of about one hundred bytes, as a tool may answer that was asked for a " +
	"line or so of text."

// benchWorld is the engine on disk, as a user opens it.
func benchWorld(b *testing.B) *world {
	return newEngine(b, embedded.Options{Dir: b.TempDir(), Clock: time.Now, SweepInterval: -1})
}

// BenchmarkAppend is append beside a put of the same value under a new key: the ratio counts.
func BenchmarkAppend(b *testing.B) {
	for _, op := range []string{"append", "put", "append-10", "tx-append", "tx-put"} {
		b.Run(op, func(b *testing.B) {
			w := benchWorld(b)
			s, l, ctx := w.m.Scope(w.run), w.log(), b.Context()
			value, err := codec.AppendValue(nil, codec.String(payload))
			require.NoError(b, err)
			ten := make([]NewEvent, 10)
			for i := range ten {
				ten[i] = NewEvent{Type: "tool_call", Payload: codec.String(payload)}
			}
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				switch op {
				case "append":
					_, err = l.Append(ctx, "tool_call", codec.String(payload))
				case "put":
					_, err = s.Put(ctx, codec.KV, codec.EventUserKey(i), value, 0)
				case "append-10":
					_, err = l.AppendMany(ctx, ten)
				case "tx-append":
					err = w.update(ctx, txn.Options{}, func(in Log) error {
						_, err := in.Append(ctx, "tool_call", codec.String(payload))
						return err
					})
				case "tx-put":
					_, err = w.m.Update(ctx, w.run, txn.Options{}, func(tx *txn.Tx) error {
						_, err := tx.Scope(w.run).Put(ctx, codec.KV, codec.EventUserKey(i), value, 0)
						return err
					})
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead is over a log of 10,000 events of two types, in memory.
func BenchmarkRead(b *testing.B) {
	w := benchWorld(b)
	l, ctx := w.log(), b.Context()
	for range 1000 {
		ten := make([]NewEvent, 10)
		for j := range ten {
			ten[j] = NewEvent{Type: []string{"even", "odd"}[j%2], Payload: codec.String(payload)}
		}
		_, err := l.AppendMany(ctx, ten)
		require.NoError(b, err)
	}
	middle, _, err := l.Get(ctx, 5000)
	require.NoError(b, err)
	drain := func(o ListOptions) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range l.List(ctx, o) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i++ {
			if _, ok, err := l.Get(ctx, i%10_000); err != nil || !ok {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("len", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Len(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("range-100", drain(ListOptions{Start: 5000, End: 5100}))
	b.Run("type-100", drain(ListOptions{Type: "odd", Start: 5000, Limit: 100}))
	b.Run("since-100", drain(ListOptions{Since: middle.Time, Limit: 100}))
	b.Run("types", func(b *testing.B) {
		for b.Loop() {
			for _, err := range l.Types(ctx) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkVerify is over 1,000 events.
func BenchmarkVerify(b *testing.B) {
	w := benchWorld(b)
	for range 1000 {
		_, err := w.log().Append(b.Context(), "tool_call", codec.String(payload))
		require.NoError(b, err)
	}
	b.Run("chain-1000", func(b *testing.B) {
		for b.Loop() {
			if v, err := w.log().Verify(b.Context()); err != nil || !v.Valid {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("index-1000", func(b *testing.B) {
		for b.Loop() {
			if r, err := w.log().VerifyIndex(b.Context()); err != nil || r.Missing != 0 {
				b.Fatal(r, err)
			}
		}
	})
}
