package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func ExampleRun_Events() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	first, err := run.Events().Append(ctx, "user_said", inmem.String("to Lisbon, please"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := run.Events().Append(ctx, "tool_result", inmem.Int(129)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.Seq)
	for e, err := range run.Events().List(ctx, inmem.EventOptions{Reverse: true, Limit: 1}) {
		fmt.Println(e.Seq, e.Type, e.Payload, e.Previous == first.Hash, err)
	}
	chain, err := run.Events().Verify(ctx)
	fmt.Println(chain.Valid, chain.Length, err)
	// Output:
	// 0
	// 1 tool_result 129 true <nil>
	// true 2 <nil>
}

func ExampleRun_Cell() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	lamp := run.Cell("lamp")
	_, err := lamp.Define(ctx, inmem.Machine{
		Initial: "off",
		Transitions: []inmem.Transition{
			{From: "off", Event: "switch", To: "on"},
			{From: "on", Event: "switch", To: "off"},
			{From: "on", Event: "burn out", To: "broken"},
		},
		Terminal: []string{"broken"},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := lamp.Init(ctx, inmem.String("off")); err != nil {
		log.Fatal(err)
	}
	now, err := lamp.Fire(ctx, "switch")
	fmt.Println(now.Value, err)
	_, err = lamp.Init(ctx, inmem.String("off"))
	fmt.Println(errors.Is(err, inmem.ErrExists))
	if _, err := lamp.Fire(ctx, "burn out"); err != nil {
		log.Fatal(err)
	}
	_, err = lamp.Store(ctx, inmem.String("on"))
	fmt.Println(errors.Is(err, inmem.ErrInvalidTransition))
	// Output:
	// "on" <nil>
	// true
	// true
}

func ExampleCellOf() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	spent := inmem.CellOf[int](run, "tokens spent")
	for range 3 {
		_, err := spent.UpdateOrInit(ctx, 0, func(n int) (int, error) { return n + 100, nil })
		if err != nil {
			log.Fatal(err)
		}
	}
	now, err := spent.Get(ctx)
	fmt.Println(now.Value, err)
	// Output: 300 <nil>
}

func ExampleRun_Traces() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for _, s := range []inmem.Span{
		{ID: "task", Type: inmem.SpanDecision, Name: "find a flight", Start: start, End: after(95)},
		{ID: "think", Parent: "task", Type: inmem.SpanThought, Name: "plan", Start: after(1),
			End: after(40), Model: "m1", InputTokens: 812, OutputTokens: 96},
		{ID: "call", Parent: "task", Type: inmem.SpanToolCall, Name: "search", Start: after(41),
			End: after(90), Tags: []string{"paid"}, Cost: inmem.Dollar / 50},
	} {
		if _, err := run.Traces().Record(ctx, s); err != nil {
			log.Fatal(err)
		}
	}
	tree, err := run.Traces().Tree(ctx, "task")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(tree)
	sum, err := run.Traces().Rollup(ctx, "task")
	fmt.Println(sum.Spans, sum.InputTokens, sum.Cost, sum.Duration, err)
	// Output:
	// decision find a flight  95ms
	// ├─ thought plan         39ms  812+96 tokens
	// └─ tool_call search     49ms  $0.02
	// 3 812 $0.02 95ms <nil>
}

func ExampleDB_Runs() {
	db, first := memory()
	defer db.Close()
	ctx := context.Background()

	if err := first.Record().Fail(ctx, "no key for the model"); err != nil {
		log.Fatal(err)
	}
	again, err := db.BeginRun(ctx, inmem.RunOptions{Parent: first.ID(), Tags: []string{"retry"}})
	if err != nil {
		log.Fatal(err)
	}
	for info, err := range db.Runs().All(ctx, inmem.RunQuery{Tags: []string{"retry"}}) {
		fmt.Println(info.ID == again.ID(), info.Parent == first.ID(), info.Status, err)
	}
	failed, err := db.Runs().Query(ctx, inmem.RunQuery{Status: []inmem.Status{inmem.Failed}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(failed.Runs[0].Error)
	fmt.Println(db.DeleteRun(ctx, first.ID()))
	_, err = first.Info(ctx)
	fmt.Println(errors.Is(err, inmem.ErrRunNotFound))
	// Output:
	// true true active <nil>
	// no key for the model
	// <nil>
	// true
}

func ExampleDB_Shared() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	team, err := db.Shared(ctx, inmem.Namespace{Tenant: "acme", App: "travel"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = db.Update(ctx, func(tx *inmem.Tx) error {
		if _, err := tx.OnShared(team).KV().Put(ctx, "best offer", inmem.Int(129)); err != nil {
			return err
		}
		_, err := tx.On(run).Events().Append(ctx, "told the team", inmem.Int(129))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	offer, ok, err := inmem.Get[int](ctx, team.KV(), "best offer")
	fmt.Println(offer, ok, err)
	// Output: 129 true <nil>
}
