package embedded

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// An append beside a put, both of the same payload in the same scope, by turns in one run, so that
// a busy machine is busy for both. An append is two keys and three hashes; what is reported is how
// many puts it costs.
func BenchmarkAppendBesidePut(b *testing.B) {
	for _, keys := range []string{"one key", "rising keys"} {
		b.Run(keys, func(b *testing.B) {
			db := mustOpen(b, diskOptions(b, Batched))
			s := newScope(b, db, 1)
			names := load(b, db, newScope(b, db, 2), 1) // the value of it
			value, err := db.Get(ctx, &backend.Scope{Number: 2, Record: scopeName(2)}, codec.KV,
				names[0], db.Published())
			require.NoError(b, err)
			payload := value.Value
			puts := &backend.Request{Writes: []backend.Write{put(s, "key-of-forty-bytes", "")}}
			puts.Writes[0].Value = payload
			types := []string{"tool_call", "tool_result", "decision"}
			appends := &backend.Request{Appends: []backend.Append{{Scope: s, Payload: payload}}}
			var spent [2]time.Duration
			const turn = 64
			n := 0
			for b.Loop() {
				for i, r := range []*backend.Request{puts, appends} {
					began := time.Now()
					for j := range turn {
						if keys != "one key" && i == 0 {
							r.Writes[0].Key = codec.EventUserKey(uint64(n*turn + j))
						}
						if i == 1 {
							a := &r.Appends[0]
							a.Type = types[j%len(types)]
							a.Digest = codec.PayloadDigest(payload) // the caller's part
						}
						if _, err := db.Commit(ctx, r); err != nil {
							b.Fatal(err)
						}
					}
					spent[i] += time.Since(began)
				}
				n++
			}
			ops := float64(n * turn)
			b.ReportMetric(float64(spent[0])/ops, "ns/put")
			b.ReportMetric(float64(spent[1])/ops, "ns/append")
			b.ReportMetric(float64(spent[1])/float64(spent[0]), "puts/append")
		})
	}
}
