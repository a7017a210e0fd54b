package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// point is a stop; round is an order of all stops, with its length.
type point struct{ X, Y float64 }

type round struct {
	Length float64
	Order  []int
}

// explore looks for a short round from a start of its own: every improvement is an event of the
// fork, the best one is in a cell, and what was thought on the way is kept beside it.
func explore(ctx context.Context, run *inmem.Run, rng *rand.Rand) error {
	where, _, err := inmem.Get[[]point](ctx, run.KV(), "stops")
	if err != nil {
		return err
	}
	r := round{Order: rng.Perm(len(where))}
	r.Length = length(where, r.Order)
	for step := 0; improve(where, &r); step++ {
		thought := make([]byte, 16<<10)
		for i := range thought {
			thought[i] = byte(rng.Uint32())
		}
		_, err := run.Update(ctx, func(tx *inmem.Tx) error {
			key := fmt.Sprintf("thought/%03d", step)
			if _, err := tx.KV().Put(ctx, key, inmem.Bytes(thought)); err != nil {
				return err
			}
			if _, err := tx.Events().Append(ctx, "improved", inmem.Float(r.Length)); err != nil {
				return err
			}
			_, err := inmem.CellOf[round](tx, "best").Store(ctx, r)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func length(where []point, order []int) (sum float64) {
	for i, at := range order {
		next := where[order[(i+1)%len(order)]]
		sum += math.Hypot(where[at].X-next.X, where[at].Y-next.Y)
	}
	return sum
}

// improve takes the best step there is: it turns a part of the round around.
func improve(where []point, r *round) bool {
	best, from, to := r.Length-1e-9, 0, 0
	for i := range r.Order {
		for j := i + 2; j <= len(r.Order); j++ {
			turn(r.Order[i:j])
			if l := length(where, r.Order); l < best {
				best, from, to = l, i, j
			}
			turn(r.Order[i:j])
		}
	}
	if to == 0 {
		return false
	}
	turn(r.Order[from:to])
	r.Length = best
	return true
}

func turn(part []int) {
	for i, j := 0, len(part)-1; i < j; i, j = i+1, j-1 {
		part[i], part[j] = part[j], part[i]
	}
}
