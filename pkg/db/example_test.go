package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// temporary returns a new directory for an example.
func temporary() string {
	dir, err := os.MkdirTemp("", "inmem-example")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}

// memory opens a database that lives in memory, and begins a run.
func memory() (*inmem.DB, *inmem.Run) {
	db, err := inmem.Open("", &inmem.Options{Durability: inmem.None})
	if err != nil {
		log.Fatal(err)
	}
	run, err := db.BeginRun(context.Background(), inmem.RunOptions{})
	if err != nil {
		log.Fatal(err)
	}
	return db, run
}

func Example() {
	dir := temporary()
	defer os.RemoveAll(dir)
	ctx := context.Background()

	db, err := inmem.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	run, err := db.BeginRun(ctx, inmem.RunOptions{Agent: "planner", Tags: []string{"exp-7"}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := run.KV().Put(ctx, "goal", inmem.String("book a flight")); err != nil {
		log.Fatal(err)
	}
	goal, ok, err := run.KV().Get(ctx, "goal")
	fmt.Println(goal, ok, err)
	fmt.Println(run.End(ctx, inmem.Completed))
	// Output:
	// "book a flight" true <nil>
	// <nil>
}

func ExampleOpen() {
	dir := temporary()
	defer os.RemoveAll(dir)
	ctx := context.Background()

	db, err := inmem.Open(dir, &inmem.Options{Durability: inmem.Strict, MemoryBudget: 16 << 20})
	if err != nil {
		log.Fatal(err)
	}
	run, err := db.BeginRun(ctx, inmem.RunOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := inmem.Put(ctx, run.KV(), "step", 1); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}

	db, err = inmem.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	fmt.Println("closed properly:", db.Recovery().Clean)
	again, err := db.Run(ctx, run.ID())
	if err != nil {
		log.Fatal(err)
	}
	step, ok, err := inmem.Get[int](ctx, again.KV(), "step")
	fmt.Println(step, ok, err)
	// Output:
	// closed properly: true
	// 1 true <nil>
}

func ExampleGet() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	type plan struct {
		Goal  string
		Steps []string
	}
	mine := plan{Goal: "travel", Steps: []string{"book", "pack"}}
	if _, err := inmem.Put(ctx, run.KV(), "plan", mine); err != nil {
		log.Fatal(err)
	}
	p, ok, err := inmem.Get[plan](ctx, run.KV(), "plan")
	fmt.Println(p.Steps, ok, err)
	_, ok, err = inmem.Get[plan](ctx, run.KV(), "other")
	fmt.Println(ok, err)
	_, _, err = inmem.Get[int](ctx, run.KV(), "plan")
	fmt.Println(errors.Is(err, inmem.ErrTypeMismatch))
	// Output:
	// [book pack] true <nil>
	// false <nil>
	// true
}

func ExampleKV() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()
	kv := run.KV()

	v1, _ := kv.Put(ctx, "lock", inmem.String("free"))
	_, err := kv.CAS(ctx, "lock", v1, inmem.String("mine"))
	fmt.Println("first:", err)
	_, err = kv.CAS(ctx, "lock", v1, inmem.String("also mine"))
	fmt.Println("second lost:", errors.Is(err, inmem.ErrVersionMismatch))

	_, err = kv.PutWithTTL(ctx, "cache/a", inmem.Int(1), time.Hour)
	fmt.Println(err)
	for pair, err := range kv.Scan(ctx, inmem.ScanOptions{Limit: 10}) {
		fmt.Println(pair.Key, pair.Value, err)
	}
	existed, err := kv.Delete(ctx, "lock")
	fmt.Println(existed, err)
	// Output:
	// first: <nil>
	// second lost: true
	// <nil>
	// cache/a 1 <nil>
	// lock "mine" <nil>
	// true <nil>
}

func ExampleRun_Update() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	increment := func(tx *inmem.Tx) error {
		n, _, err := inmem.Get[int](ctx, tx.KV(), "counter")
		if err != nil {
			return err
		}
		_, err = inmem.Put(ctx, tx.KV(), "counter", n+1)
		return err
	}
	for range 3 {
		if _, err := run.Update(ctx, increment); err != nil {
			log.Fatal(err)
		}
	}
	n, _, err := inmem.Get[int](ctx, run.KV(), "counter")
	fmt.Println(n, err)
	// Output: 3 <nil>
}

func ExampleRun_View() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	err := run.View(ctx, func(view *inmem.View) error {
		if _, err := run.KV().Put(ctx, "later", inmem.Bool(true)); err != nil {
			return err
		}
		seen, err := view.KV().Exists(ctx, "later")
		fmt.Println("seen by the view:", seen)
		return err
	})
	fmt.Println(err)
	// Output:
	// seen by the view: false
	// <nil>
}

// A transaction over several runs names each one.
func ExampleDB_Update() {
	db, mine := memory()
	defer db.Close()
	ctx := context.Background()
	yours, err := db.BeginRun(ctx, inmem.RunOptions{})
	if err != nil {
		log.Fatal(err)
	}

	version, err := db.Update(ctx, func(tx *inmem.Tx) error {
		if _, err := tx.On(mine).KV().Put(ctx, "task", inmem.String("given away")); err != nil {
			return err
		}
		_, err := tx.On(yours).KV().Put(ctx, "task", inmem.String("taken over"))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	e, err := yours.KV().GetVersioned(ctx, "task")
	fmt.Println(e.Value, e.Version == version, err)
	// Output: "taken over" true <nil>
}

func ExampleConflictError() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	tx, err := run.Begin(ctx, inmem.TxOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback()
	_, _, _ = tx.KV().Get(ctx, "a")
	_, _ = tx.KV().Put(ctx, "b", inmem.Int(1))
	_, _ = run.KV().Put(ctx, "a", inmem.Int(2))
	_, err = tx.Commit(ctx)

	var conflict *inmem.ConflictError
	if errors.As(err, &conflict) {
		for _, k := range conflict.Keys {
			fmt.Println(k.Key, k.Run == run.ID(), k.Expected, k.Found > 0)
		}
	}
	// Output: a true 0 true
}
