package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/trace"
)

// spanDoc is a span with those under it.
type spanDoc struct {
	ID           string        `json:"id"`
	Parent       string        `json:"parent,omitempty"`
	Type         string        `json:"type"`
	Name         string        `json:"name,omitempty"`
	Start        time.Time     `json:"start"`
	End          time.Time     `json:"end,omitzero"`
	Duration     time.Duration `json:"duration_ns"`
	Open         bool          `json:"open,omitempty"`
	Tags         []string      `json:"tags,omitempty"`
	Error        string        `json:"error,omitempty"`
	ErrorType    string        `json:"error_type,omitempty"`
	Model        string        `json:"model,omitempty"`
	InputTokens  int64         `json:"input_tokens"`
	OutputTokens int64         `json:"output_tokens"`
	CostNanoUSD  inmem.Cost    `json:"cost_nano_usd"`
	Attributes   inmem.Value   `json:"attributes"`
	Children     []*spanDoc    `json:"children"`

	failed bool
}

// traceDoc are the spans of a run as trees.
type traceDoc struct {
	Run   string     `json:"run"`
	Spans int        `json:"spans"`
	First time.Time  `json:"first,omitzero"`
	Last  time.Time  `json:"last,omitzero"`
	Roots []*spanDoc `json:"roots"`
}

func newTraceCommand(e *env) *cobra.Command {
	var at, root string
	var depth int
	c := &cobra.Command{
		Use: "trace RUN", GroupID: groupLook,
		Short: "Show what an agent did, as a tree with times and cost",
		Long: `Shows the spans of a run as a tree: what was done, under what, how long it took, tokens, cost, and a
bar that says when. Errors stand below their spans. A span that has not ended is open.`,
		Example: `  inmem trace latest
  inmem trace latest --depth 2
  inmem trace latest --under msg-000012 --full`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			return e.viewing(c.Context(), args[0], at, func(ctx context.Context, v *inmem.View) error {
				doc, err := readTrace(ctx, v, root)
				if err != nil {
					return err
				}
				if doc.Run, err = runOf(ctx, v); err != nil {
					return err
				}
				return e.print(doc, func(w io.Writer) error { return e.writeTrace(w, doc, depth) })
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", "as it was at this version or time")
	c.Flags().StringVar(&root, "under", "", "only this span, by its id, and those under it")
	c.Flags().IntVar(&depth, "depth", 0, "so many levels; 0 is all")
	return c
}

func runOf(ctx context.Context, v *inmem.View) (string, error) {
	info, err := v.Record().Info(ctx)
	return info.ID, err
}

// readTrace reads the spans of a run, or those under one.
func readTrace(ctx context.Context, v *inmem.View, under string) (*traceDoc, error) {
	doc := &traceDoc{Roots: []*spanDoc{}}
	if under != "" {
		tree, err := v.Traces().Tree(ctx, under)
		if err != nil {
			return nil, advise(err, "inmem trace RUN --json tells the ids of all spans")
		}
		doc.Roots = append(doc.Roots, doc.add(tree))
		return doc, nil
	}
	forest, err := v.Traces().Forest(ctx)
	if err != nil {
		return nil, err
	}
	for _, tree := range forest {
		doc.Roots = append(doc.Roots, doc.add(tree))
	}
	return doc, nil
}

// add makes the document of a tree, and widens the time that all take.
func (d *traceDoc) add(n *trace.Node) *spanDoc {
	s := &n.Span
	d.Spans++
	if d.First.IsZero() || s.Start.Before(d.First) {
		d.First = s.Start.UTC()
	}
	for _, t := range []time.Time{s.Start, s.End} {
		if t.After(d.Last) {
			d.Last = t.UTC()
		}
	}
	doc := &spanDoc{
		ID: s.ID, Parent: s.Parent, Type: string(s.Type), Name: s.Name, Start: s.Start.UTC(),
		End: s.End.UTC(), Duration: s.Duration(), Open: s.IsOpen(), Tags: s.Tags, Error: s.Error,
		ErrorType: s.ErrorType, Model: s.Model, InputTokens: s.InputTokens,
		OutputTokens: s.OutputTokens, CostNanoUSD: s.Cost, Attributes: s.Attributes,
		Children: []*spanDoc{}, failed: s.Failed(),
	}
	for _, child := range n.Children {
		doc.Children = append(doc.Children, d.add(child))
	}
	return doc
}

// The columns of a trace.
const (
	laneWidth  = 24
	nameWidth  = 44
	deepest    = 16 // levels below are numbered, not indented
	errorWidth = 80
)

// writeTrace writes a line for each span.
func (e *env) writeTrace(w io.Writer, doc *traceDoc, depth int) error {
	if doc.Spans == 0 {
		_, err := fmt.Fprintln(w, "no spans")
		return err
	}
	s := e.style()
	header := show.Pad("SPAN", nameWidth) + show.PadFront("TIME", 8) + show.PadFront("IN+OUT", 12) +
		show.PadFront("COST", 10) + "  " + e.clock(doc.First) + "…"
	if _, err := fmt.Fprintln(w, s.Bold(header)); err != nil {
		return err
	}
	t := tracer{env: e, w: w, style: s, doc: doc, depth: depth}
	for _, root := range doc.Roots {
		if err := t.write(root, "", "", 1); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s in %s\n", show.Count(doc.Spans, "span"),
		show.Duration(doc.Last.Sub(doc.First)))
	return err
}

// tracer writes trees.
type tracer struct {
	env   *env
	w     io.Writer
	style show.Style
	doc   *traceDoc
	depth int
}

// write writes a span and those under it: first stands before its own line, rest before the others.
func (t *tracer) write(s *spanDoc, first, rest string, level int) error {
	if err := t.line(s, first, level); err != nil {
		return err
	}
	if s.Error != "" {
		text := t.env.cut(s.Error, errorWidth)
		if _, err := fmt.Fprintf(t.w, "%s  %s\n", rest, t.style.Red("! "+text)); err != nil {
			return err
		}
	}
	if t.depth > 0 && level >= t.depth {
		return nil
	}
	for i, child := range s.Children {
		branch, below := "├─ ", "│  "
		if i == len(s.Children)-1 {
			branch, below = "└─ ", "   "
		}
		if level >= deepest {
			branch, below = fmt.Sprintf("[%d] ", level+1), ""
		}
		if err := t.write(child, rest+branch, rest+below, level+1); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) line(s *spanDoc, before string, level int) error {
	name := terminal.Clean(strings.TrimSpace(s.Type + " " + s.Name))
	if hidden := len(s.Children); hidden > 0 && t.depth > 0 && level >= t.depth {
		name += fmt.Sprintf(" (+%d)", hidden)
	}
	tokens, price, took := "", "", show.Duration(s.Duration)
	if s.InputTokens+s.OutputTokens > 0 {
		tokens = fmt.Sprintf("%d+%d", s.InputTokens, s.OutputTokens)
	}
	if s.CostNanoUSD > 0 {
		price = shortCost(s.CostNanoUSD)
	}
	if s.Open {
		took = "open"
	}
	label := show.Pad(terminal.Cut(before+name, nameWidth), nameWidth)
	if t.env.full {
		label = show.Pad(before+name, nameWidth)
	}
	lane := t.lane(s)
	if s.failed {
		label, lane = t.style.Red(label), t.style.Red(lane)
	} else {
		lane = t.style.Cyan(lane)
	}
	text := label + show.PadFront(took, 8) + show.PadFront(tokens, 12) + show.PadFront(price, 10) +
		"  " + lane
	_, err := fmt.Fprintln(t.w, strings.TrimRight(text, " "))
	return err
}

// lane draws when a span was, in the time of all of them. One that is open goes on to the end.
func (t *tracer) lane(s *spanDoc) string {
	whole := float64(t.doc.Last.Sub(t.doc.First))
	if whole <= 0 {
		return show.Lane(0, 1, laneWidth)
	}
	from := float64(s.Start.Sub(t.doc.First)) / whole
	to := 1.0
	if !s.Open {
		to = float64(s.End.Sub(t.doc.First)) / whole
	}
	return show.Lane(from, to, laneWidth)
}

// shortCost is an amount in few columns: dollars with four decimals, or as many as it takes to tell
// a small one from nothing.
func shortCost(c inmem.Cost) string {
	if c >= inmem.Dollar/10_000 {
		return fmt.Sprintf("$%.4f", float64(c)/float64(inmem.Dollar))
	}
	return fmt.Sprintf("$%.2g", float64(c)/float64(inmem.Dollar))
}
