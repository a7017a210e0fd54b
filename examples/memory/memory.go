package main

import (
	"context"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

// facts is the name of the collection.
const facts = "facts"

// fact is one thing that the agent knows about somebody.
type fact struct {
	id, who, about, text string
}

// scope is a run, a transaction or a view: a memory works in all of them alike.
type scope interface {
	Vectors(name string) inmem.Vectors
}

// remember stores a fact, or replaces the one with its id.
func remember(ctx context.Context, s scope, f fact) error {
	metadata, err := inmem.ValueOf(map[string]any{"who": f.who, "about": f.about, "text": f.text})
	if err != nil {
		return err
	}
	_, err = s.Vectors(facts).Upsert(ctx, f.id, embed(f.text), metadata)
	return err
}

// forget removes a fact.
func forget(ctx context.Context, s scope, id string) error {
	_, err := s.Vectors(facts).Delete(ctx, id)
	return err
}

// recall returns what comes nearest to a question among the facts that pass a filter.
func recall(ctx context.Context, s scope, question string, k int, f *vector.Filter,
) ([]inmem.SearchHit, error) {
	found, err := s.Vectors(facts).Search(ctx, inmem.SearchOptions{
		Vector: embed(question), K: k, Filter: f,
	})
	return found.Hits, err
}

// textOf is what a fact says; empty for one that says nothing.
func textOf(h inmem.SearchHit) string {
	text, _ := h.Metadata.Lookup("text")
	s, err := text.AsString()
	if err != nil {
		return ""
	}
	return s
}
