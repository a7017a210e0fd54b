package eventlog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// TestScripts plays the scripts in testdata/scripts: each file is a story with one run. A block
// "play" holds steps, one per line, and its output repeats each with what came of it.
//
//	begin T [serializable]             start transaction T
//	[T] append TYPE JSON [TYPE JSON]   without T directly on the run
//	[T] get SEQ | range START END
//	[T] list [start=] [end=] [type=] [since=] [until=] [limit=] [reverse]
//	[T] head | len | types | count TYPE
//	[T] verify | index | rebuild       index is VerifyIndex
//	T commit | rollback
//	clock D                            move the clock; times are shown as what has passed
//	end                                end the run
//	tamper SEQ TYPE                    change the type of a stored event, past the primitive
//	lose TYPE SEQ | ghost TYPE SEQ     erase an index entry, or write one that nobody needs
//
// Hashes are shown by their first four bytes.
func TestScripts(t *testing.T) {
	onBoth(t, func(t *testing.T, first *world) {
		datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
			s := &script{world: first.sibling(t), t: t, txs: map[string]*txn.Tx{}}
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				require.Equal(t, "play", d.Cmd)
				var out strings.Builder
				for _, line := range strings.Split(d.Input, "\n") {
					fmt.Fprintf(&out, "%s -> %s\n", line, s.step(strings.Fields(line)))
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
func (s *script) step(words []string) string {
	ctx := s.t.Context()
	switch verb, args := words[0], words[1:]; verb {
	case "begin":
		o := txn.Options{}
		if len(args) > 1 && args[1] == "serializable" {
			o.Isolation = txn.Serializable
		}
		s.txs[args[0]], _ = s.begin(s.t, o)
		return "ok"
	case "clock":
		s.clock.Add(int64(s.duration(args[0])))
		return "ok"
	case "end":
		s.world.end(s.t, codec.Completed)
		return "ok"
	case "tamper":
		change(s.number(args[0]), func(r *codec.EventRecord) { r.Type = args[1] })(s.t, s.world)
		return "ok"
	case "lose":
		s.erase(s.t, index, codec.EventTypeKey(args[0], s.number(args[1])))
		return "ok"
	case "ghost":
		s.write(s.t, index, codec.EventTypeKey(args[0], s.number(args[1])), indexValue)
		return "ok"
	}
	if tx := s.txs[words[0]]; tx != nil {
		switch words[1] {
		case "commit":
			_, err := tx.Commit(ctx)
			return outcome("ok", err)
		case "rollback":
			return outcome("ok", tx.Rollback())
		}
		return s.onLog(New(tx.Scope(s.run)), words[1:])
	}
	return s.onLog(s.log(), words)
}

func (s *script) onLog(l Log, words []string) string {
	ctx, args := s.t.Context(), words[1:]
	switch words[0] {
	case "append":
		return s.append(l, args)
	case "get":
		e, ok, err := l.Get(ctx, s.number(args[0]))
		return outcome(present(e, ok), err)
	case "head":
		e, ok, err := l.Head(ctx)
		return outcome(present(e, ok), err)
	case "range":
		return list(l.Range(ctx, s.number(args[0]), s.number(args[1])), event)
	case "list":
		return list(l.List(ctx, s.options(args)), event)
	case "types":
		return list(l.Types(ctx), strconv.Quote)
	case "len":
		n, err := l.Len(ctx)
		return outcome(strconv.FormatUint(n, 10), err)
	case "count":
		n, err := l.CountType(ctx, args[0])
		return outcome(strconv.FormatUint(n, 10), err)
	case "verify":
		v, err := l.Verify(ctx)
		if err == nil && !v.Valid {
			return fmt.Sprintf("invalid at %d of %d: %s", v.FirstBad, v.Length, v.Reason)
		}
		return outcome(fmt.Sprintf("valid, %d events, head %x", v.Length, v.Head[:4]), err)
	case "index":
		r, err := l.VerifyIndex(ctx)
		return outcome(fmt.Sprintf("%d events, %d entries, missing %s, surplus %s", r.Events,
			r.Entries, entries(r.MissingEntries), entries(r.SurplusEntries)), err)
	case "rebuild":
		r, err := l.RebuildIndex(ctx)
		return outcome(fmt.Sprintf("added %d, removed %d", r.Added, r.Removed), err)
	}
	s.t.Fatalf("no step %q", words)
	return ""
}

func (s *script) append(l Log, args []string) string {
	var events []NewEvent
	for ; len(args) > 0; args = args[2:] {
		n := NewEvent{Type: args[0]}
		if n.Type == "_" {
			n.Type = ""
		}
		require.NoError(s.t, n.Payload.UnmarshalJSON([]byte(args[1])))
		events = append(events, n)
	}
	places := make([]Appended, 1)
	var err error
	if len(events) == 1 {
		places[0], err = l.Append(s.t.Context(), events[0].Type, events[0].Payload)
	} else {
		places, err = l.AppendMany(s.t.Context(), events)
	}
	var texts []string
	for _, p := range places {
		texts = append(texts, fmt.Sprintf("%d %x", p.Seq, p.Hash[:4]))
	}
	return outcome(strings.Join(texts, ", "), err)
}

func (s *script) options(args []string) (o ListOptions) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "start":
			o.Start = s.number(value)
		case "end":
			o.End = s.number(value)
		case "type":
			o.Type = value
		case "since":
			o.Since = time.Unix(0, start).Add(s.duration(value))
		case "until":
			o.Until = time.Unix(0, start).Add(s.duration(value))
		case "limit":
			o.Limit = int(s.number(value))
		case "reverse":
			o.Reverse = true
		default:
			s.t.Fatalf("no option %q", name)
		}
	}
	return o
}

func (s *script) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(s.t, err)
	return n
}

func (s *script) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	require.NoError(s.t, err)
	return d
}

// outcome is the text of a result, or the name of the error.
func outcome(text string, err error) string {
	if err == nil {
		return text
	}
	for _, known := range []error{backend.ErrConflict, backend.ErrScopeNotActive,
		codec.ErrInvalidArgument, codec.ErrTooLarge, codec.ErrCorrupt, txn.ErrTxnDone} {
		if errors.Is(err, known) {
			return "error: " + known.Error()
		}
	}
	return "error: " + err.Error()
}

func present(e Event, ok bool) string {
	if !ok {
		return "absent"
	}
	return event(e)
}

func event(e Event) string {
	return fmt.Sprintf("%d %s %s at %s, %x after %x", e.Seq, e.Type, e.Payload,
		e.Time.Sub(time.Unix(0, start)), e.Hash[:4], e.Previous[:4])
}

func entries(list []IndexEntry) string {
	texts := []string{}
	for _, e := range list {
		texts = append(texts, fmt.Sprintf("%s %d", e.Type, e.Seq))
	}
	return fmt.Sprintf("%q", texts)
}

// list shows the length of a sequence, and one element per line.
func list[T any](seq func(func(T, error) bool), show func(T) string) string {
	n, text := 0, ""
	for x, err := range seq {
		if err != nil {
			return fmt.Sprintf("%d%s\n  %s", n, text, outcome("", err))
		}
		n++
		text += "\n  " + show(x)
	}
	return strconv.Itoa(n) + text
}
