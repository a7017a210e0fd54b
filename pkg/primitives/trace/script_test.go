package trace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// TestScripts plays the scripts in testdata: each file is a story with one run. A block "play"
// holds steps, one per line, and its output repeats each with what came of it.
//
//	begin T | T commit | T rollback        a transaction; other steps take its name in front
//	record|start ID TYPE [field=value]...  fields: name parent start end tags model in out cost
//	                                       error errortype; times are seconds after the epoch
//	end ID [field=value]...                fields: at out cost error errortype
//	tag ID TAG...                          Update that replaces the tags
//	get ID
//	list|count [field=value]... [roots] [open] [reverse]
//	types                                  CountByType
//	tree ID | forest                       as Fprint writes them
//	rollup [ID]                            of a subtree, or of the run
//	verify
//	clock SECONDS                          moves the clock
//
// Blanks in values are written as _.
func TestScripts(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
			w := &world{m: w.m, b: w.b, clock: w.clock}
			w.clock.Store(epoch)
			w.run = w.begin(t.Context(), t, path[len(path)-1])
			s := &script{world: w, t: t, txs: map[string]*txn.Tx{}}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				require.Equal(t, "play", d.Cmd)
				var out strings.Builder
				for _, line := range strings.Split(d.Input, "\n") {
					fmt.Fprintf(&out, "%s -> %s\n", line, s.step(w.traces(), strings.Fields(line)))
				}
				return out.String()
			})
		})
	})
}

type script struct {
	*world
	t   *testing.T
	txs map[string]*txn.Tx
}

// step plays one line.
func (s *script) step(tr Traces, words []string) string {
	ctx, verb, args := s.t.Context(), words[0], words[1:]
	if tx := s.txs[verb]; tx != nil {
		switch args[0] {
		case "commit":
			_, err := tx.Commit(ctx)
			return outcome("ok", err)
		case "rollback":
			return outcome("ok", tx.Rollback())
		}
		return s.step(New(tx.Scope(s.run)), args)
	}
	switch verb {
	case "begin":
		tx, err := s.m.Begin(ctx, s.run, txn.Options{})
		s.txs[args[0]] = tx
		return outcome("ok", err)
	case "clock":
		s.clock.Add(int64(seconds(s.t, args[0])) * int64(time.Second))
		return "ok"
	case "record", "start", "end", "tag":
		return s.write(tr, verb, args)
	case "get":
		span, ok, err := tr.Get(ctx, args[0])
		if !ok {
			return outcome("(absent)", err)
		}
		return show(span)
	case "tree":
		n, err := tr.Tree(ctx, args[0])
		if err != nil {
			return outcome("", err)
		}
		return "\n" + n.String()
	}
	return s.read(ctx, tr, verb, args)
}

func (s *script) read(ctx context.Context, tr Traces, verb string, args []string) string {
	switch verb {
	case "list":
		spans := []Span{}
		for span, err := range tr.List(ctx, s.filter(args)) {
			if err != nil {
				return outcome("", err)
			}
			spans = append(spans, span)
		}
		return fmt.Sprint(idsOf(spans))
	case "count":
		n, err := tr.Count(ctx, s.filter(args))
		return outcome(strconv.Itoa(n), err)
	case "types":
		counts, err := tr.CountByType(ctx)
		return outcome(strings.TrimPrefix(fmt.Sprint(counts), "map"), err)
	case "forest":
		trees, err := tr.Forest(ctx)
		var b strings.Builder
		require.NoError(s.t, Fprint(&b, trees...))
		return outcome("\n"+b.String(), err)
	case "rollup":
		var r Rollup
		var err error
		if len(args) > 0 {
			r, err = tr.Rollup(ctx, args[0])
		} else {
			r, err = tr.RollupRun(ctx)
		}
		return outcome(fmt.Sprintf("%d spans, %d open, %d errors, %d+%d tokens, %v, %v",
			r.Spans, r.Open, r.Errors, r.InputTokens, r.OutputTokens, r.Cost, r.Duration), err)
	case "verify":
		r, err := tr.VerifyIndexes(ctx)
		return outcome(fmt.Sprintf("%d spans, %d entries, %d faults", r.Spans, r.Entries,
			len(r.Faults)), err)
	}
	s.t.Fatalf("unknown step %q", verb)
	return ""
}

func (s *script) write(tr Traces, verb string, args []string) string {
	ctx := s.t.Context()
	switch verb {
	case "tag":
		return outcome("ok", tr.Update(ctx, args[0], func(span *Span) error {
			span.Tags = args[1:]
			return nil
		}))
	case "end":
		f := s.fields(args[1:])
		e := SpanEnd{Error: f["error"], ErrorType: f["errortype"]}
		if f["at"] != "" {
			e.Time = at(seconds(s.t, f["at"]))
		}
		e.OutputTokens, e.Cost = int64(seconds(s.t, f["out"])), Cost(seconds(s.t, f["cost"]))
		return outcome("ok", tr.End(ctx, args[0], e))
	}
	f := s.fields(args[2:])
	span := Span{ID: args[0], Type: SpanType(args[1]), Name: f["name"], Parent: f["parent"],
		Model: f["model"], Error: f["error"], ErrorType: f["errortype"]}
	if f["start"] != "" {
		span.Start = at(seconds(s.t, f["start"]))
	}
	if f["end"] != "" {
		span.End = at(seconds(s.t, f["end"]))
	}
	if f["tags"] != "" {
		span.Tags = strings.Split(f["tags"], ",")
	}
	span.InputTokens, span.OutputTokens = int64(seconds(s.t, f["in"])), int64(seconds(s.t, f["out"]))
	span.Cost = Cost(seconds(s.t, f["cost"]))
	call := tr.Record
	if verb == "start" {
		call = tr.Start
	}
	id, err := call(ctx, span)
	return outcome(id, err)
}

func (s *script) fields(args []string) map[string]string {
	f := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		f[name] = strings.ReplaceAll(value, "_", " ")
	}
	return f
}

func (s *script) filter(args []string) Filter {
	f := s.fields(args)
	o := Filter{Name: f["name"], Tag: f["tag"], Parent: f["parent"],
		Type:  SpanType(strings.ReplaceAll(f["type"], " ", "_")),
		Roots: slices.Contains(args, "roots"), Open: slices.Contains(args, "open"),
		Reverse: slices.Contains(args, "reverse"), Limit: seconds(s.t, f["limit"])}
	if f["since"] != "" {
		o.Since = at(seconds(s.t, f["since"]))
	}
	if f["until"] != "" {
		o.Until = at(seconds(s.t, f["until"]))
	}
	return o
}

func seconds(t *testing.T, s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

func show(s Span) string {
	took := "open"
	if !s.IsOpen() {
		took = s.Duration().String()
	}
	return fmt.Sprintf("%s %q parent=%q from %v %s tags=%v %d+%d %v failed=%v",
		s.Type, s.Name, s.Parent, s.Start.Sub(at(0)), took, s.Tags, s.InputTokens, s.OutputTokens,
		s.Cost, s.Failed())
}

// outcome is the result, or which error came instead.
func outcome(result string, err error) string {
	if err == nil {
		return result
	}
	for _, known := range []struct {
		name string
		err  error
	}{
		{"exists", ErrExists}, {"not found", ErrNotFound}, {"ended", ErrEnded},
		{"invalid argument", codec.ErrInvalidArgument}, {"too large", codec.ErrTooLarge},
		{"transaction has ended", txn.ErrTxnDone},
	} {
		if errors.Is(err, known.err) {
			return "error: " + known.name
		}
	}
	var conflict *txn.ConflictError
	if errors.As(err, &conflict) {
		letters := ""
		for _, k := range conflict.Keys {
			letters += k.Primitive.String()
		}
		return "conflict: " + letters
	}
	return "error: " + err.Error()
}
