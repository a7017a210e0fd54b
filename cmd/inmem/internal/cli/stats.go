package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func newStatsCommand(e *env) *cobra.Command {
	var o inmem.SizesOptions
	c := &cobra.Command{
		Use: "stats", GroupID: groupCare,
		Short: "Show what runs and primitives take, in memory and on disk",
		Long: `Shows what the database takes on disk and in memory, the levels of its tables, and what primitives and
the largest runs hold: records are versions of keys, bytes those of keys and values before compression.`,
		Example: `  inmem stats --runs 5`,
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				doc, err := db.Sizes(ctx, o)
				if err != nil {
					return err
				}
				return e.print(doc, func(w io.Writer) error { return e.writeSizes(w, doc) })
			})
		},
	}
	c.Flags().IntVar(&o.Runs, "runs", 10, "how many runs are listed, the largest first; -1: all")
	return c
}

func (e *env) writeSizes(w io.Writer, s *inmem.Sizes) error {
	fmt.Fprintf(w, "on disk %s: log %s, obsolete %s\n", show.Size(s.Disk), show.Size(s.Log),
		show.Size(s.Obsolete))
	fmt.Fprintf(w, "in memory %s: recent data %s, waiting for tables %s, cache %s of %s\n\n",
		show.Size(s.Memory+s.Buffer+s.Cache), show.Size(s.Memory), show.Size(s.Buffer),
		show.Size(s.Cache), show.Size(s.CacheLimit))
	sizes := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "PRIMITIVE"}, {Title: "RECORDS", Align: show.Right}, {Title: "BYTES", Align: show.Right},
	}}
	for _, p := range s.Primitives {
		sizes.Row(p.Name, show.Grouped(p.Records), show.Size(p.Bytes))
	}
	sizes.Row("of the database itself", show.Grouped(s.System.Records), show.Size(s.System.Bytes))
	if err := sizes.Write(w); err != nil {
		return err
	}
	if err := e.writeRunSizes(w, s); err != nil {
		return err
	}
	levels := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "LEVEL"}, {Title: "TABLES", Align: show.Right}, {Title: "BYTES", Align: show.Right},
	}}
	for _, l := range s.Levels {
		if l.Files > 0 {
			levels.Row(strconv.Itoa(l.Level), show.Grouped(l.Files), show.Size(l.Bytes))
		}
	}
	if levels.Len() > 0 {
		fmt.Fprintln(w)
	}
	return levels.Write(w)
}

// writeRunSizes lists runs with what they have most of.
func (e *env) writeRunSizes(w io.Writer, s *inmem.Sizes) error {
	if len(s.Runs) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\n%s", show.Count(s.Count, "run"))
	if s.Count > len(s.Runs) {
		fmt.Fprintf(w, ", the largest %d", len(s.Runs))
	}
	fmt.Fprintln(w)
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "RUN"}, {Title: "RECORDS", Align: show.Right}, {Title: "BYTES", Align: show.Right},
		{Title: "MOST OF IT"},
	}}
	for _, r := range s.Runs {
		most := ""
		if len(r.Primitives) > 0 {
			most = r.Primitives[0].Name
		}
		t.Row(r.Run, show.Grouped(r.Records), show.Size(r.Bytes), most)
	}
	return t.Write(w)
}
