package inmem_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// A run with its history goes into another database, in one file.
func ExampleDB_ExportRun() {
	db, run := memory()
	defer db.Close()
	other, _ := memory()
	defer other.Close()
	ctx := context.Background()
	for _, mood := range []string{"bored", "curious"} {
		if _, err := run.KV().Put(ctx, "mood", inmem.String(mood)); err != nil {
			log.Fatal(err)
		}
	}

	var file bytes.Buffer
	sent, err := db.ExportRun(ctx, run.ID(), &file, inmem.ExportOptions{})
	if err != nil {
		log.Fatal(err)
	}
	copied, err := other.ImportRun(ctx, &file, inmem.ImportOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for commit, err := range copied.Replay(ctx, inmem.ReplayOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		value, err := commit.Changes[0].Value()
		fmt.Println(commit.Number, commit.Changes[0].String(), value, err)
	}
	hash, err := copied.StateHash(ctx, other.Version())
	fmt.Println(hash == sent.StateHash, err)
	// Output:
	// 1 kv put "mood" "bored" <nil>
	// 2 kv put "mood" "curious" <nil>
	// true <nil>
}
