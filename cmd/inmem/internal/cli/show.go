package cli

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// summary is what show tells of a run.
type summary struct {
	runDoc
	// Version is what it was looked at.
	Version uint64 `json:"version"`
	// FirstVersion and LastVersion are those of its commits, Commits how many there are.
	FirstVersion uint64 `json:"first_version"`
	LastVersion  uint64 `json:"last_version"`
	Commits      uint64 `json:"commits"`
	Imported     uint64 `json:"imported,omitempty"`
	// Took is from the beginning to the end, or to the last change of an active run's record.
	Took time.Duration `json:"took_ns"`
	// Ancestors are the runs that it was begun under, the nearest first; Children those under it.
	Ancestors []relative `json:"ancestors"`
	Children  []relative `json:"children"`

	Keys       int         `json:"keys"`
	Cells      int         `json:"cells"`
	Events     uint64      `json:"events"`
	EventTypes []typeCount `json:"event_types"`
	// Head is the hash of the newest event, which stands for all of them.
	Head  *inmem.Hash `json:"head,omitempty"`
	Spans spanTotals  `json:"spans"`
	// SpanTypes has the totals of each type.
	SpanTypes []spanTotals `json:"span_types"`
	// Collections are those of vectors.
	Collections []collectionDoc `json:"collections"`
}

// relative is a run of the same family.
type relative struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	// ForkVersion is the version of its parent at which it was forked; 0 if it was not.
	ForkVersion uint64 `json:"fork_version,omitempty"`
}

// typeCount says how many events of a type there are.
type typeCount struct {
	Type   string `json:"type"`
	Events uint64 `json:"events"`
}

// spanTotals are sums over spans.
type spanTotals struct {
	Type         string        `json:"type,omitempty"`
	Spans        int           `json:"spans"`
	Open         int           `json:"open"`
	Errors       int           `json:"errors"`
	InputTokens  int64         `json:"input_tokens"`
	OutputTokens int64         `json:"output_tokens"`
	CostNanoUSD  inmem.Cost    `json:"cost_nano_usd"`
	Duration     time.Duration `json:"duration_ns,omitempty"`
}

func newShowCommand(e *env) *cobra.Command {
	var at string
	c := &cobra.Command{
		Use: "show RUN", GroupID: groupLook,
		Short: "Sum up a run: status, lineage, counts, tokens, cost",
		Long: `Sums up a run: its status and tags, what it was begun under and what was begun under it, how much
it holds, and what its spans came to in tokens and money. With --at as it was then.`,
		Example: `  inmem show latest
  inmem show 01a206ff --at 120
  inmem show latest --json`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.viewing(c.Context(), args[0], at, func(ctx context.Context, v *inmem.View) error {
				doc, err := summarize(ctx, v)
				if err != nil {
					return err
				}
				return e.print(doc, func(w io.Writer) error { return e.writeSummary(w, doc) })
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "as it was at this version or time")
	return c
}

// summarize reads what show tells. Cost: what the run holds.
func summarize(ctx context.Context, v *inmem.View) (*summary, error) {
	info, err := v.Record().Info(ctx)
	if err != nil {
		return nil, err
	}
	s := &summary{
		runDoc: docOfRun(&info), Version: v.Version(), FirstVersion: info.FirstVersion,
		LastVersion: info.LastVersion, Commits: info.Commits, Imported: info.Imported,
		Ancestors: []relative{}, Children: []relative{}, EventTypes: []typeCount{},
		SpanTypes: []spanTotals{},
	}
	s.Took = info.Updated.Sub(info.Created)
	if !info.Ended.IsZero() {
		s.Took = info.Ended.Sub(info.Created)
	}
	for _, step := range []func(context.Context, *inmem.View, *summary) error{
		addFamily, addCounts, addEventTypes, addSpans,
	} {
		if err := step(ctx, v, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func addFamily(ctx context.Context, v *inmem.View, s *summary) error {
	for r, err := range v.Record().Ancestors(ctx) {
		if err != nil {
			return err
		}
		s.Ancestors = append(s.Ancestors, relative{r.ID, r.Status.String(), r.ForkVersion})
	}
	for r, err := range v.Record().Children(ctx) {
		if err != nil {
			return err
		}
		s.Children = append(s.Children, relative{r.ID, r.Status.String(), r.ForkVersion})
	}
	return nil
}

func addCounts(ctx context.Context, v *inmem.View, s *summary) (err error) {
	if s.Keys, err = v.KV().Count(ctx, inmem.ScanOptions{}); err != nil {
		return err
	}
	if s.Cells, err = v.Cells().Count(ctx, ""); err != nil {
		return err
	}
	if s.Events, err = v.Events().Len(ctx); err != nil {
		return err
	}
	if s.Collections, err = readCollections(ctx, v); err != nil {
		return err
	}
	head, ok, err := v.Events().Head(ctx)
	if ok {
		h := inmem.Hash(head.Hash)
		s.Head = &h
	}
	return err
}

func addEventTypes(ctx context.Context, v *inmem.View, s *summary) error {
	for typ, err := range v.Events().Types(ctx) {
		if err != nil {
			return err
		}
		n, err := v.Events().CountType(ctx, typ)
		if err != nil {
			return err
		}
		s.EventTypes = append(s.EventTypes, typeCount{typ, n})
	}
	return nil
}

func addSpans(ctx context.Context, v *inmem.View, s *summary) error {
	all, err := v.Traces().RollupRun(ctx)
	if err != nil {
		return err
	}
	s.Spans = spanTotals{
		Spans: all.Spans, Open: all.Open, Errors: all.Errors, InputTokens: all.InputTokens,
		OutputTokens: all.OutputTokens, CostNanoUSD: all.Cost, Duration: all.Duration,
	}
	for _, typ := range slices.Sorted(maps.Keys(all.ByType)) {
		t := all.ByType[typ]
		s.SpanTypes = append(s.SpanTypes, spanTotals{
			Type: string(typ), Spans: t.Spans, Open: t.Open, Errors: t.Errors,
			InputTokens: t.InputTokens, OutputTokens: t.OutputTokens, CostNanoUSD: t.Cost,
		})
	}
	return nil
}
