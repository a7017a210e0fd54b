package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// stateDoc is what a run holds at a version.
type stateDoc struct {
	Run     string    `json:"run"`
	Version uint64    `json:"version"`
	Time    time.Time `json:"time,omitzero"`
	Status  string    `json:"status"`
	Cells   []cellDoc `json:"cells"`
	Keys    []keyDoc  `json:"keys"`
	// MoreKeys says that there are more keys than were asked for.
	MoreKeys bool       `json:"more_keys,omitempty"`
	Events   uint64     `json:"events"`
	Last     *eventDoc  `json:"last_event,omitempty"`
	Open     []openSpan `json:"open_spans"`
	// StateHash is the hash of all of it.
	StateHash *inmem.Hash `json:"state_hash,omitempty"`
}

// cellDoc is a state cell.
type cellDoc struct {
	Name    string      `json:"name"`
	Value   inmem.Value `json:"value"`
	Version uint64      `json:"version"`
	// Machine: a state machine governs it.
	Machine bool `json:"machine,omitempty"`
}

// openSpan is a span that has not ended.
type openSpan struct {
	ID    string    `json:"id"`
	Type  string    `json:"type"`
	Name  string    `json:"name,omitempty"`
	Start time.Time `json:"start"`
}

func newStateCommand(e *env) *cobra.Command {
	var at string
	var limit int
	var hash bool
	c := &cobra.Command{
		Use: "state RUN[@VERSION]", GroupID: groupLook,
		Short: "Show all that a run holds, now or at any time",
		Long: `Shows the state of a run, as it is or as it was: cells, keys with values, how many events and the
last of them, spans that are open. --hash adds the hash of all of it, which is equal wherever the
run is imported.`,
		Example: `  inmem state latest
  inmem state latest --at 120
  inmem state latest --at 10m
  inmem state "01a206ff@2026-05-14 09:30" --hash`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.viewing(c.Context(), args[0], at, func(ctx context.Context, v *inmem.View) error {
				doc, err := readState(ctx, v, limit)
				if err != nil {
					return err
				}
				if hash {
					h, err := v.StateHash(ctx)
					if err != nil {
						return err
					}
					doc.StateHash = &h
				}
				return e.print(doc, func(w io.Writer) error { return e.writeState(w, doc) })
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "the version or time")
	c.Flags().IntVar(&limit, "limit", 100, "the most keys; 0 is all")
	c.Flags().BoolVar(&hash, "hash", false, "add the hash of the state")
	return c
}

// readState reads what a run holds.
func readState(ctx context.Context, v *inmem.View, limit int) (*stateDoc, error) {
	info, err := v.Record().Info(ctx)
	if err != nil {
		return nil, err
	}
	d := &stateDoc{
		Run: info.ID, Version: v.Version(), Time: v.Time().UTC(), Status: info.Status.String(),
		Cells: []cellDoc{}, Keys: []keyDoc{}, Open: []openSpan{},
	}
	for _, step := range []func(context.Context, *inmem.View) error{
		d.addCells, func(ctx context.Context, v *inmem.View) error { return d.addKeys(ctx, v, limit) },
		d.addEvents, d.addOpen,
	} {
		if err := step(ctx, v); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *stateDoc) addCells(ctx context.Context, v *inmem.View) error {
	for name, err := range v.Cells().List(ctx, "") {
		if err != nil {
			return err
		}
		s, err := v.Cell(name).Get(ctx)
		if err != nil {
			return err
		}
		_, governed, err := v.Cell(name).Machine(ctx)
		if err != nil {
			return err
		}
		d.Cells = append(d.Cells, cellDoc{name, s.Value, s.Version, governed})
	}
	return nil
}

func (d *stateDoc) addKeys(ctx context.Context, v *inmem.View, limit int) error {
	o := inmem.ScanOptions{}
	if limit > 0 {
		o.Limit = limit + 1
	}
	for p, err := range v.KV().Scan(ctx, o) {
		if err != nil {
			return err
		}
		if limit > 0 && len(d.Keys) == limit {
			d.MoreKeys = true
			return nil
		}
		d.Keys = append(d.Keys, keyDoc{Key: keyOf(p.Key), Value: p.Value})
	}
	return nil
}

func (d *stateDoc) addEvents(ctx context.Context, v *inmem.View) (err error) {
	if d.Events, err = v.Events().Len(ctx); err != nil {
		return err
	}
	head, ok, err := v.Events().Head(ctx)
	if ok {
		doc := docOfEvent(&head)
		d.Last = &doc
	}
	return err
}

func (d *stateDoc) addOpen(ctx context.Context, v *inmem.View) error {
	for s, err := range v.Traces().List(ctx, inmem.SpanFilter{Open: true}) {
		if err != nil {
			return err
		}
		d.Open = append(d.Open, openSpan{s.ID, string(s.Type), s.Name, s.Start.UTC()})
	}
	return nil
}

// writeState shows the state to people.
func (e *env) writeState(w io.Writer, d *stateDoc) error {
	f := facts{style: e.style()}
	f.add("run", f.style.Bold(d.Run), painted(f.style, d.Status))
	f.add("version", fmt.Sprint(d.Version), e.clock(d.Time))
	f.add("events", fmt.Sprint(d.Events))
	if d.Last != nil {
		f.add("last", fmt.Sprintf("#%d %s", d.Last.Seq, terminal.Clean(d.Last.Type)),
			e.brief(d.Last.Payload, max(16, show.Width-20-len(d.Last.Type))))
	}
	if d.StateHash != nil {
		f.add("hash", d.StateHash.String())
	}
	for _, s := range d.Open {
		f.add("open", terminal.Clean(s.Type+" "+s.Name), "since "+e.clock(s.Start))
	}
	if _, err := io.WriteString(w, f.b.String()); err != nil {
		return err
	}
	if err := e.writeCells(w, d.Cells); err != nil {
		return err
	}
	return e.writeKeys(w, d)
}

func (e *env) writeCells(w io.Writer, cells []cellDoc) error {
	if len(cells) == 0 {
		return nil
	}
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "CELL"}, {Title: "VERSION", Align: show.Right}, {Title: "VALUE", Flexible: !e.full},
	}}
	for _, c := range cells {
		t.Row(c.Name, fmt.Sprint(c.Version), c.Value.String())
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return t.Write(w)
}

func (e *env) writeKeys(w io.Writer, d *stateDoc) error {
	if len(d.Keys) == 0 {
		return nil
	}
	t := show.Table{Style: e.style(), Columns: []show.Column{
		{Title: "KEY"}, {Title: "VALUE", Flexible: !e.full},
	}}
	for _, k := range d.Keys {
		t.Row(nameOf(k.Key), k.Value.String())
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	if err := t.Write(w); err != nil || !d.MoreKeys {
		return err
	}
	_, err := fmt.Fprintf(w, "and more: inmem scan %s, or --limit 0\n", d.Run)
	return err
}
