package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// retentionDoc says what carrying out the policies removes, or has removed.
type retentionDoc struct {
	// Applied: it was removed; otherwise it would be.
	Applied    bool           `json:"applied"`
	Versions   uint64         `json:"versions"`
	Bytes      uint64         `json:"bytes"`
	DiskBefore uint64         `json:"disk_before,omitempty"`
	DiskAfter  uint64         `json:"disk_after,omitempty"`
	Runs       []runRetention `json:"runs"`
}

// runRetention says what goes of one run.
type runRetention struct {
	Run      string   `json:"run"`
	Earliest uint64   `json:"earliest"`
	Versions uint64   `json:"versions"`
	Bytes    uint64   `json:"bytes"`
	HeldBy   []string `json:"held_by"`
}

func docOfRetention(r *inmem.RetentionReport) retentionDoc {
	doc := retentionDoc{
		Versions: r.Versions, Bytes: r.Bytes, DiskBefore: r.DiskBefore, DiskAfter: r.DiskAfter,
		Runs: []runRetention{},
	}
	for _, x := range r.Runs {
		doc.Runs = append(doc.Runs, runRetention{
			Run: x.Run, Earliest: x.Earliest, Versions: x.Versions, Bytes: x.Bytes,
			HeldBy: append([]string{}, x.HeldBy...),
		})
	}
	return doc
}

func newRetentionPlanCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "plan", Short: "Tell what apply would remove",
		Long:    `Tells what inmem retention apply would remove now, and what holds the rest. It removes nothing.`,
		Example: `  inmem retention plan`,
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				r, err := db.PlanRetention(ctx)
				if err != nil {
					return err
				}
				doc := docOfRetention(r)
				return e.print(doc, func(w io.Writer) error { return e.writeRetention(w, &doc) })
			})
		},
	}
}

func newRetentionApplyCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "apply", Short: "Remove the history that the policies let go",
		Long: `Removes the history that the policies let go, as far as nothing holds it, and gives the space back.
Nothing brings it back; inmem retention plan tells before what would go. When it is stopped, the rest
goes the next time.`,
		Example: `  inmem retention apply`,
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				r, err := db.ApplyRetention(ctx, nil)
				if err != nil {
					return err
				}
				doc := docOfRetention(r)
				doc.Applied = true
				return e.print(doc, func(w io.Writer) error { return e.writeRetention(w, &doc) })
			})
		},
	}
}

func (e *env) writeRetention(w io.Writer, doc *retentionDoc) error {
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "RUN"}, {Title: "RECORDS", Align: show.Right}, {Title: "BYTES", Align: show.Right},
		{Title: "EARLIEST", Align: show.Right}, {Title: "HELD BY", Flexible: true},
	}}
	for _, r := range doc.Runs {
		t.Row(r.Run, show.Grouped(r.Versions), show.Size(r.Bytes), fmt.Sprint(r.Earliest),
			strings.Join(r.HeldBy, ", "))
	}
	if err := t.Write(w); err != nil {
		return err
	}
	verb := "would go"
	if doc.Applied {
		verb = "are gone"
	}
	disk := ""
	if doc.DiskBefore > 0 {
		disk = fmt.Sprintf("; on disk %s were %s", show.Size(doc.DiskAfter), show.Size(doc.DiskBefore))
	}
	_, err := fmt.Fprintf(w, "%s of %s, %s, %s%s\n", show.Count(doc.Versions, "record"),
		show.Count(len(doc.Runs), "run"), show.Size(doc.Bytes), verb, disk)
	return err
}

func newPinCommand(e *env) *cobra.Command {
	var at string
	c := &cobra.Command{
		Use: "pin NAME RUN[@VERSION]", Short: "Keep a version of a run, whatever the policies say",
		Example: `  inmem retention pin before-migration latest
  inmem retention pin good 01a206ff@120`,
		Args: exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				p, err := e.pointAt(ctx, db, args[1], at)
				if err != nil {
					return err
				}
				if p.Version == 0 {
					p.Version = db.Version()
				}
				if err := db.Pin(ctx, args[0], p.Run, p.Version); err != nil {
					return err
				}
				doc := pinDoc{args[0], p.Run.ID(), p.Version}
				return e.print(doc, func(w io.Writer) error {
					_, err := fmt.Fprintf(w, "pinned %s at version %d\n", doc.Run, doc.Version)
					return err
				})
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "the version or time")
	return c
}

func newUnpinCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "unpin NAME", Short: "Take a pin away",
		Example: `  inmem retention unpin before-migration`,
		Args:    exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.change(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				if err := db.Unpin(ctx, args[0]); err != nil {
					return advise(err, "inmem retention list lists them")
				}
				return e.print(map[string]string{"name": args[0]}, func(w io.Writer) error {
					_, err := fmt.Fprintln(w, "the pin is gone")
					return err
				})
			})
		},
	}
}
