package main

import (
	"context"
	"errors"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// offer is a flight that a tool found.
type offer struct {
	Flight string `json:"flight"`
	Price  int64  `json:"price"`
	Stops  int64  `json:"stops"`
}

// errNoOffer: nothing can be booked.
var errNoOffer = errors.New("no offer fits")

// step does one step of the agent in one transaction: what was done goes into the event log and, as
// a span, into the trace; what follows from it is written by then.
func step(ctx context.Context, run *inmem.Run, kind inmem.SpanType, name string, answer any,
	then func(tx *inmem.Tx) error,
) error {
	_, err := run.Update(ctx, func(tx *inmem.Tx) error {
		attributes, err := inmem.ValueOf(map[string]any{"answer": answer})
		if err != nil {
			return err
		}
		span := inmem.Span{Type: kind, Name: name, Attributes: attributes}
		if _, err := tx.Traces().Record(ctx, span); err != nil {
			return err
		}
		payload, err := inmem.ValueOf(map[string]any{"name": name, "answer": answer})
		if err != nil {
			return err
		}
		if _, err := tx.Events().Append(ctx, string(kind), payload); err != nil {
			return err
		}
		return then(tx)
	})
	return err
}

// phase writes how far the agent has come.
func phase(ctx context.Context, tx *inmem.Tx, name string) error {
	_, err := inmem.CellOf[string](tx, "phase").Store(ctx, name)
	return err
}

// prepare is what both attempts have in common: the task, and what a search found.
func prepare(ctx context.Context, run *inmem.Run) error {
	found := []offer{{"TP935", 129, 1}, {"LX2084", 189, 0}, {"LH1172", 310, 0}}
	_, err := run.Update(ctx, func(tx *inmem.Tx) error {
		if _, err := inmem.Put(ctx, tx.KV(), "goal", "fly from Zurich to Lisbon"); err != nil {
			return err
		}
		if _, err := tx.KV().Put(ctx, "budget", inmem.Int(150)); err != nil {
			return err
		}
		return phase(ctx, tx, "searching")
	})
	if err != nil {
		return err
	}
	return step(ctx, run, inmem.SpanToolCall, "search_flights", found, func(tx *inmem.Tx) error {
		if _, err := inmem.Put(ctx, tx.KV(), "offers", found); err != nil {
			return err
		}
		return phase(ctx, tx, "choosing")
	})
}

// finish checks the seats, chooses and books.
func finish(ctx context.Context, run *inmem.Run) error {
	seats := map[string]int64{"TP935": 4, "LX2084": 2, "LH1172": 9}
	err := step(ctx, run, inmem.SpanToolCall, "check_seats", seats, func(*inmem.Tx) error {
		return nil
	})
	if err != nil {
		return err
	}
	best, err := choose(ctx, run)
	if err != nil {
		return err
	}
	err = step(ctx, run, inmem.SpanDecision, "choose", best, func(tx *inmem.Tx) error {
		return phase(ctx, tx, "booking")
	})
	if err != nil {
		return err
	}
	err = step(ctx, run, inmem.SpanToolCall, "book", best.Flight, func(tx *inmem.Tx) error {
		if _, err := inmem.Put(ctx, tx.KV(), "booked", best.Flight); err != nil {
			return err
		}
		return phase(ctx, tx, "done")
	})
	if err != nil {
		return err
	}
	return run.End(ctx, inmem.Completed)
}

// choose takes the offer with the fewest stops that the budget allows, of several the cheapest.
func choose(ctx context.Context, run *inmem.Run) (best offer, err error) {
	budget, _, err := inmem.Get[int64](ctx, run.KV(), "budget")
	if err != nil {
		return best, err
	}
	offers, _, err := inmem.Get[[]offer](ctx, run.KV(), "offers")
	if err != nil {
		return best, err
	}
	for _, o := range offers {
		better := o.Stops < best.Stops || o.Stops == best.Stops && o.Price < best.Price
		if o.Price <= budget && (best.Flight == "" || better) {
			best = o
		}
	}
	if best.Flight == "" {
		return best, errNoOffer
	}
	return best, nil
}
