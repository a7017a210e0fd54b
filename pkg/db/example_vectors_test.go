package inmem_test

import (
	"context"
	"fmt"
	"log"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

func ExampleRun_Vectors() {
	db, run := memory()
	defer db.Close()
	ctx := context.Background()

	facts := run.Vectors("facts")
	if err := facts.Ensure(ctx, inmem.CollectionOptions{Dim: 2, Metric: inmem.Cosine}); err != nil {
		log.Fatal(err)
	}
	about, err := inmem.ValueOf(map[string]any{"kind": "city"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := facts.Upsert(ctx, "paris", []float32{3, 4}, about); err != nil {
		log.Fatal(err)
	}
	_, err = run.Update(ctx, func(tx *inmem.Tx) error {
		if _, err := tx.Vectors("facts").Upsert(ctx, "bread", []float32{4, 3}, inmem.Null()); err != nil {
			return err
		}
		found, err := tx.Vectors("facts").Search(ctx, inmem.SearchOptions{
			Vector: []float32{1, 0}, K: 1,
		})
		fmt.Printf("%s %.1f %v\n", found.Hits[0].ID, found.Hits[0].Score, err)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	found, err := facts.Search(ctx, inmem.SearchOptions{
		Vector: []float32{1, 0}, K: 5, Filter: vector.Eq("kind", "city"),
	})
	for _, hit := range found.Hits {
		fmt.Printf("%s %.1f %v\n", hit.ID, hit.Score, hit.Metadata)
	}
	fmt.Println(found.Plan.Exact, err)
	// Output:
	// bread 0.8 <nil>
	// paris 0.6 {"kind":"city"}
	// true <nil>
}
