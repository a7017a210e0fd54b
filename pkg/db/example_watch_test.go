package inmem_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// A consumer handles each commit once, remembers its version, and goes on from there, also in
// another process.
func ExampleRun_Watch() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()
	for _, city := range []string{"Oslo", "Lima", "Bonn"} {
		if _, err := run.Events().Append(ctx, "visit", inmem.String(city)); err != nil {
			log.Fatal(err)
		}
	}
	var last uint64
	handle := func(most int) {
		for c, err := range run.Watch(ctx, inmem.WatchOptions{From: last + 1}) {
			if err != nil {
				log.Fatal(err)
			}
			e, err := c.Changes[0].Event()
			fmt.Println(c.Number, e.Type, e.Payload, err)
			last = c.Version
			if most--; most == 0 {
				return
			}
		}
	}
	handle(2)
	fmt.Println("later")
	handle(1)
	// Output:
	// 1 visit "Oslo" <nil>
	// 2 visit "Lima" <nil>
	// later
	// 3 visit "Bonn" <nil>
}

// A filter tells only what concerns its consumer.
func ExampleDB_Watch() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()
	for _, key := range []string{"orders/1", "draft", "orders/2"} {
		if _, err := run.KV().Put(ctx, key, inmem.Int(int64(len(key)))); err != nil {
			log.Fatal(err)
		}
	}
	left := 2
	for c, err := range db.Watch(ctx, inmem.WatchOptions{Prefix: "orders/"}) {
		if err != nil {
			log.Fatal(err)
		}
		for i := range c.Changes {
			value, err := c.Changes[i].Value()
			fmt.Println(c.Run == run.ID(), &c.Changes[i], value, err)
		}
		if left--; left == 0 {
			break
		}
	}
	// Output:
	// true kv put "orders/1" 8 <nil>
	// true kv put "orders/2" 8 <nil>
}

// A backup is made while the work goes on, and restored into a directory of its own.
func ExampleDB_Checkpoint() {
	dir := temporary()
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := inmem.Open(filepath.Join(dir, "agent-db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	run, err := db.BeginRun(ctx, inmem.RunOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := run.KV().Put(ctx, "goal", inmem.String("book a flight")); err != nil {
		log.Fatal(err)
	}
	backup := filepath.Join(dir, "backup")
	made, err := db.Checkpoint(ctx, backup)
	fmt.Println(made.Version == db.Version(), err)

	if _, err := run.KV().Put(ctx, "goal", inmem.String("book a train")); err != nil {
		log.Fatal(err)
	}
	restored, err := inmem.Restore(ctx, backup, filepath.Join(dir, "restored"))
	fmt.Println(restored.Version == made.Version, err)
	old, err := inmem.Open(filepath.Join(dir, "restored"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer old.Close()
	same, err := old.Run(ctx, run.ID())
	if err != nil {
		log.Fatal(err)
	}
	goal, _, err := same.KV().Get(ctx, "goal")
	fmt.Println(goal, err)
	// Output:
	// true <nil>
	// true <nil>
	// "book a flight" <nil>
}
