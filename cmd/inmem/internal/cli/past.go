package cli

import (
	"context"
	"iter"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// pastDoc is what a key or cell was from one commit on, until the next.
type pastDoc struct {
	Version uint64      `json:"version"`
	Written time.Time   `json:"written"`
	Value   inmem.Value `json:"value"`
	Expires time.Time   `json:"expires,omitzero"`
	Deleted bool        `json:"deleted,omitempty"`
	Swept   bool        `json:"swept,omitempty"`
}

// keyPast tells what a key was, newest first.
func keyPast(ctx context.Context, kv inmem.KV, key string) iter.Seq2[pastDoc, error] {
	return func(yield func(pastDoc, error) bool) {
		for p, err := range kv.History(ctx, key) {
			doc := pastDoc{
				Version: p.Version, Written: p.Written.UTC(), Value: p.Value, Expires: p.Expires.UTC(),
				Deleted: p.Deleted, Swept: p.Swept,
			}
			if !yield(doc, err) {
				return
			}
		}
	}
}

// cellPast tells what a cell was, newest first.
func cellPast(ctx context.Context, v *inmem.View, name string) iter.Seq2[pastDoc, error] {
	return func(yield func(pastDoc, error) bool) {
		for s, err := range v.Cell(name).History(ctx) {
			doc := pastDoc{
				Version: s.Version, Written: s.Updated.UTC(), Value: s.Value, Deleted: !s.Exists,
			}
			if !yield(doc, err) {
				return
			}
		}
	}
}
