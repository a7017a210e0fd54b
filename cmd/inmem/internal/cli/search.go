package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

// searchDoc is what a search found.
type searchDoc struct {
	Hits []hitDoc `json:"hits"`
	// Exact: every row that could be a hit was considered.
	Exact bool `json:"exact"`
	// Strategy is the way in which most rows were looked at.
	Strategy string `json:"strategy"`
}

// hitDoc is one row that a search found.
type hitDoc struct {
	ID       inmem.Value `json:"id"`
	Score    float32     `json:"score"`
	Metadata inmem.Value `json:"metadata"`
	Vector   []float32   `json:"vector,omitempty"`
	Version  uint64      `json:"version"`
}

// searchFlags say what is searched for.
type searchFlags struct {
	vector, file, like string
	filter, at         string
	options            inmem.SearchOptions
}

func newSearchCommand(e *env) *cobra.Command {
	var f searchFlags
	c := &cobra.Command{
		Use: "search RUN [COLLECTION]", GroupID: groupLook,
		Short: "Find the vectors that are nearest to one",
		Long: `Finds the rows of a collection whose vectors are nearest to one, the nearest first. The vector is
given as --vector, in a --text-file (- is the standard input), or as that of another row --like ID.
Numbers are separated by blanks, commas or lines; an array of JSON will do.

--filter keeps rows by their metadata: {"eq": ["lang", "go"]}, {"and": [...]}; see package vector.
Without a collection it lists those of the run.`,
		Example: `  inmem search latest
  inmem search latest notes --vector "0.1, 0.2, 0.3" -k 5
  inmem search latest notes --text-file query.txt --at 120
  inmem search latest notes --like note-7 --filter '{"eq": ["lang", "go"]}' --json`,
		Args: between(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return e.listCollections(c.Context(), args[0], f.at)
			}
			if err := f.parse(e); err != nil {
				return err
			}
			return e.viewing(c.Context(), args[0], f.at, func(ctx context.Context, v *inmem.View) error {
				doc, err := f.search(ctx, v.Vectors(args[1]))
				if err != nil {
					return err
				}
				return e.print(doc, func(w io.Writer) error { return e.writeHits(w, doc) })
			})
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.vector, "vector", "", "the vector: numbers")
	fs.StringVar(&f.file, "text-file", "", "a file with the vector: numbers; - is the standard input")
	fs.StringVar(&f.like, "like", "", "the vector of the row with this id")
	fs.StringVar(&f.filter, "filter", "", "only rows whose metadata it matches, as JSON")
	fs.StringVar(&f.at, "at", "", "as it was at this version or time")
	fs.IntVarP(&f.options.K, "count", "k", 10, "how many")
	fs.IntVar(&f.options.Ef, "ef", 0, "how wide a graph is searched: more finds more; default: chosen")
	fs.BoolVar(&f.options.WithVectors, "vectors", false, "with the vectors, in JSON")
	return c
}

// parse reads what is searched for.
func (f *searchFlags) parse(e *env) error {
	given := 0
	for _, text := range []string{f.vector, f.file, f.like} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return usagef("search: give one of --vector, --text-file and --like")
	}
	if f.filter != "" {
		filter, err := vector.ParseFilter([]byte(f.filter))
		if err != nil {
			return advise(err, `a filter is like {"eq": ["lang", "go"]}; see package vector`)
		}
		f.options.Filter = filter
	}
	text := f.vector
	if f.file != "" {
		r, err := e.openInput(f.file)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(r, mostInput))
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		text = string(data)
	}
	if f.like != "" {
		return nil
	}
	var err error
	f.options.Vector, err = parseVector(text)
	return err
}

// parseVector reads numbers, separated by blanks, commas or lines, or an array of JSON.
func parseVector(text string) ([]float32, error) {
	var v []float32
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		var all []*float32 // package json would make 0 of a null
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			return nil, usagef("this is no array of numbers: %w", err)
		}
		for i, x := range all {
			if x == nil {
				return nil, usagef("number %d of the vector is null", i)
			}
			v = append(v, *x)
		}
		return v, nil
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return strings.ContainsRune(" ,;\t\r\n", r)
	}) {
		x, err := strconv.ParseFloat(word, 32)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, usagef("%q is not a number of a vector", word)
		}
		v = append(v, float32(x))
	}
	return v, nil
}

// search asks the library.
func (f *searchFlags) search(ctx context.Context, c inmem.Vectors) (*searchDoc, error) {
	if f.like != "" {
		row, ok, err := c.Get(ctx, f.like)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, notFoundf("collection %q has no row %q", c.Name(), f.like)
		}
		f.options.Vector = row.Vector
	}
	r, err := c.Search(ctx, f.options)
	if err != nil {
		return nil, err
	}
	doc := &searchDoc{
		Hits: []hitDoc{}, Exact: r.Plan.Exact, Strategy: r.Plan.Strategy.String(),
	}
	for _, h := range r.Hits {
		doc.Hits = append(doc.Hits, hitDoc{keyOf(h.ID), h.Score, h.Metadata, h.Vector, h.Version})
	}
	return doc, nil
}

// writeHits shows what was found.
func (e *env) writeHits(w io.Writer, doc *searchDoc) error {
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "SCORE", Align: show.Right}, {Title: "ID", Flexible: !e.full},
		{Title: "VERSION", Align: show.Right}, {Title: "METADATA", Flexible: !e.full},
	}}
	for _, h := range doc.Hits {
		meta := ""
		if !h.Metadata.IsNull() {
			meta = h.Metadata.String()
		}
		t.Row(strconv.FormatFloat(float64(h.Score), 'f', 4, 32), nameOf(h.ID), fmt.Sprint(h.Version),
			meta)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	how := "most likely the nearest"
	if doc.Exact {
		how = "exact"
	}
	_, err := fmt.Fprintf(w, "%s, %s\n", show.Count(len(doc.Hits), "hit"), how)
	return err
}

// nameOf is a key as tables show it: text, or what stands for bytes that are none.
func nameOf(key inmem.Value) string {
	if s, err := key.AsString(); err == nil {
		return s
	}
	return key.String()
}

// collectionDoc is a collection of vectors.
type collectionDoc struct {
	Name   inmem.Value `json:"name"`
	Rows   int         `json:"rows"`
	Dim    int         `json:"dim"`
	Metric string      `json:"metric"`
	Index  string      `json:"index"`
}

// kindNames are the kinds of index.
var kindNames = map[vector.Kind]string{
	vector.KindAuto: "auto", vector.KindFlat: "flat", vector.KindGraph: "graph",
}

// readCollections lists the collections of a run. Cost: their rows.
func readCollections(ctx context.Context, v *inmem.View) ([]collectionDoc, error) {
	list := []collectionDoc{}
	for name, err := range v.Collections().List(ctx) {
		if err != nil {
			return nil, err
		}
		c := v.Vectors(name)
		info, err := c.Describe(ctx)
		if err != nil {
			return nil, err
		}
		rows, err := c.Count(ctx, inmem.ScrollOptions{})
		if err != nil {
			return nil, err
		}
		list = append(list, collectionDoc{
			keyOf(name), rows, info.Dim, info.Metric.String(), kindNames[info.Kind],
		})
	}
	return list, nil
}

func (e *env) listCollections(ctx context.Context, name, at string) error {
	return e.viewing(ctx, name, at, func(ctx context.Context, v *inmem.View) error {
		list, err := readCollections(ctx, v)
		if err != nil {
			return err
		}
		doc := map[string][]collectionDoc{"collections": list}
		return e.print(doc, func(w io.Writer) error {
			if len(list) == 0 {
				_, err := fmt.Fprintln(w, "no collections of vectors")
				return err
			}
			return e.writeCollections(w, list)
		})
	})
}

func (e *env) writeCollections(w io.Writer, list []collectionDoc) error {
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "COLLECTION", Flexible: !e.full}, {Title: "ROWS", Align: show.Right},
		{Title: "DIM", Align: show.Right}, {Title: "METRIC"}, {Title: "INDEX"},
	}}
	for _, c := range list {
		t.Row(nameOf(c.Name), show.Grouped(c.Rows), fmt.Sprint(c.Dim), c.Metric, c.Index)
	}
	return t.Write(w)
}
