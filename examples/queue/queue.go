// Package queue is a primitive that in-mem does not have: a first-in-first-out queue of values in a
// run. It is built with public means only, and shows how to build one of your own.
//
// The recipe:
//
//   - Take your keys from Extension: nobody else can reach them.
//   - Take the handle as an interface that Run, Tx and View fulfil: one implementation serves all.
//   - Do what belongs together in KV.Atomic: on a run it is a transaction of its own, in a
//     transaction a part of it.
package queue

import (
	"context"
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Handle is a run, a transaction or a view.
type Handle interface {
	// Extension returns the keys under a name.
	Extension(name string) inmem.KV
}

// Queue is a queue in a run. A small value; safe for concurrent use if its handle is.
type Queue struct{ kv inmem.KV }

// Of returns the queue of a name in h. It needs no creation: a new queue is empty.
func Of(h Handle, name string) Queue { return Queue{h.Extension("queue/" + name)} }

// item is the key of an item: its number in fixed width, so that keys are in the order of arrival.
func item(n int64) string { return fmt.Sprintf("item/%016x", n) }

const tail = "tail" // the number that the next item gets

// Push adds a value at the end. Two pushes at the same time conflict, and one is retried: the tail
// is read and rewritten.
func (q Queue) Push(ctx context.Context, v inmem.Value) error {
	_, err := q.kv.Atomic(ctx, func(kv inmem.KV) error {
		n, _, err := inmem.Get[int64](ctx, kv, tail)
		if err != nil {
			return err
		}
		if _, err := kv.Put(ctx, item(n), v); err != nil {
			return err
		}
		_, err = kv.Put(ctx, tail, inmem.Int(n+1))
		return err
	})
	return err
}

// Pop takes the value at the front; ok is false if there is none. Of two pops at the same time one
// conflicts and is retried: both read the item that only one can take.
func (q Queue) Pop(ctx context.Context) (v inmem.Value, ok bool, err error) {
	_, err = q.kv.Atomic(ctx, func(kv inmem.KV) error {
		v, ok = inmem.Null(), false // of an attempt that was lost
		for front, err := range kv.Scan(ctx, inmem.ScanOptions{Prefix: "item/", Limit: 1}) {
			if err != nil {
				return err
			}
			v, ok = front.Value, true
			_, err = kv.Delete(ctx, front.Key)
			return err
		}
		return nil
	})
	return v, ok, err
}

// Len counts the items that wait.
func (q Queue) Len(ctx context.Context) (int, error) {
	return q.kv.Count(ctx, inmem.ScanOptions{Prefix: "item/"})
}

// Pushed is how many items there ever were.
func (q Queue) Pushed(ctx context.Context) (int64, error) {
	n, _, err := inmem.Get[int64](ctx, q.kv, tail)
	if err != nil {
		return 0, fmt.Errorf("queue: %w", err)
	}
	return n, nil
}
