package inmem_test

import (
	"context"
	"fmt"
	"log"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// exampleRun opens a database in memory with a run that has a little history, and returns the
// version of its first commit.
func exampleRun(ctx context.Context) (db *inmem.DB, run *inmem.Run, first uint64) {
	db, err := inmem.Open("", &inmem.Options{Durability: inmem.None})
	if err != nil {
		log.Fatal(err)
	}
	if run, err = db.BeginRun(ctx, inmem.RunOptions{Agent: "planner"}); err != nil {
		log.Fatal(err)
	}
	if first, err = inmem.Put(ctx, run.KV(), "goal", "find a flight"); err != nil {
		log.Fatal(err)
	}
	if _, err = inmem.Put(ctx, run.KV(), "goal", "book a flight"); err != nil {
		log.Fatal(err)
	}
	if _, err = run.KV().Delete(ctx, "goal"); err != nil {
		log.Fatal(err)
	}
	return db, run, first
}

// A view shows the run as it was at a version.
func ExampleRun_At() {
	ctx := context.Background()
	db, run, first := exampleRun(ctx)
	defer db.Close()
	view, err := run.At(ctx, first)
	if err != nil {
		log.Fatal(err)
	}
	defer view.Close()
	goal, ok, err := inmem.Get[string](ctx, view.KV(), "goal")
	fmt.Println(goal, ok, err)
	_, ok, err = inmem.Get[string](ctx, run.KV(), "goal")
	fmt.Println("now:", ok, err)
	// Output:
	// find a flight true <nil>
	// now: false <nil>
}

// A replay tells what happened, commit by commit.
func ExampleRun_Replay() {
	ctx := context.Background()
	db, run, _ := exampleRun(ctx)
	defer db.Close()
	options := inmem.ReplayOptions{Values: inmem.OldAndNewValues}
	for commit, err := range run.Replay(ctx, options) {
		if err != nil {
			log.Fatal(err)
		}
		for _, change := range commit.Changes {
			value, err := change.Value()
			if err != nil {
				log.Fatal(err)
			}
			old, _, err := change.Old()
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(commit.Number, change.String(), old, "->", value)
		}
	}
	// Output:
	// 1 kv put "goal" null -> "find a flight"
	// 2 kv put "goal" "find a flight" -> "book a flight"
	// 3 kv delete "goal" "book a flight" -> null
}

// What a key was, newest first.
func ExampleKV_History() {
	ctx := context.Background()
	db, run, first := exampleRun(ctx)
	defer db.Close()
	for past, err := range run.KV().History(ctx, "goal") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(past.Version-first, past.Value, past.Deleted)
	}
	// Output:
	// 2 null true
	// 1 "book a flight" false
	// 0 "find a flight" false
}

// The hash of a state is the same wherever the same happened.
func ExampleRun_StateHash() {
	ctx := context.Background()
	db, run, first := exampleRun(ctx)
	defer db.Close()
	hash, err := run.StateHash(ctx, first)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(hash)
	hash, err = run.StateHash(ctx, db.Version()) // nothing is left
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(hash)
	// Output:
	// 0b079e11de5fe02ea783cc1353dc8d26990ea0f7d68e442bb0d5a88256365b69
	// 4cd6f10449abbfcaa3de3c85eae46067fccea0d54b690f751f5d39c35532ef11
}
