package runindex

import (
	"context"
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

// TestScripts plays the stories in testdata/scripts, each with one database. A block "play" holds
// steps, one per line, and its output repeats each with what came of it.
//
//	begin NAME [tenant=T] [app=P] [agent=A] [tags=A,B] [parent=NAME]
//	NAME pause|resume|complete|cancel|archive
//	NAME fail REASON
//	NAME tag|untag|retag [TAG...]
//	NAME info|children|ancestors|delete
//	list|count|stats [status=S,S] [tags=A,B] [tenant=T] [app=P] [agent=A] [parent=NAME]
//	     [limit=N] [interrupted] [archived] [newest]
//	more                          the next page of the last list
//	clock D | crash | sweep       a crash begins a new epoch
//	lose TAG NAME                 loses an index entry
//	verify | rebuild
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{world: newWorld(t), t: t, runs: map[string]*backend.Scope{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "play", d.Cmd)
			var out strings.Builder
			for _, line := range strings.Split(d.Input, "\n") {
				fmt.Fprintf(&out, "%s -> %s\n", line, s.step(strings.Fields(line)))
			}
			return out.String()
		})
	})
}

type script struct {
	*world
	t    *testing.T
	runs map[string]*backend.Scope
	last Query // with the token of the next page
}

// step plays one line.
func (s *script) step(words []string) string {
	verb, args := words[0], words[1:]
	if run, ok := s.runs[verb]; ok {
		return s.onRun(run, args[0], args[1:])
	}
	switch verb {
	case "begin":
		return s.beginRun(args[0], args[1:])
	case "clock":
		d, err := time.ParseDuration(args[0])
		require.NoError(s.t, err)
		s.tick(d)
		return "ok"
	case "crash":
		s.epoch++
		return fmt.Sprint("epoch ", s.epoch)
	case "sweep":
		return s.outcome("ok", s.sweep())
	case "list", "more":
		if verb == "list" {
			s.last = s.query(args)
		}
		p, err := s.index().Query(s.ctx, s.last)
		s.last.Token = p.Next
		out := s.names(p.Runs)
		if p.Next != "" {
			out += " and more"
		}
		return s.outcome(out, err)
	case "count":
		n, err := s.index().Count(s.ctx, s.query(args))
		return s.outcome(strconv.Itoa(n), err)
	case "stats":
		n, err := s.index().Stats(s.ctx, s.query(args))
		return s.outcome(fmt.Sprintf("active=%d interrupted=%d paused=%d completed=%d failed=%d "+
			"cancelled=%d archived=%d", n.Active, n.Interrupted, n.Paused, n.Completed, n.Failed,
			n.Cancelled, n.Archived), err)
	case "verify":
		r, err := s.index().Verify(s.ctx)
		return s.outcome(fmt.Sprintf("entries=%d missing=%d surplus=%d", r.Entries, r.Missing,
			r.Surplus), err)
	case "rebuild":
		r, err := s.index().Rebuild(s.ctx)
		return s.outcome(fmt.Sprintf("added=%d removed=%d", r.Added, r.Removed), err)
	case "lose":
		rec, err := load(s.ctx, s.m.Scope(system()), s.runs[args[1]].Record)
		require.NoError(s.t, err)
		key := string(tagPrefix(false, args[0])) + placeOf(rec.Created, rec.ID)
		_, err = s.m.Scope(system()).Delete(s.ctx, codec.RunIndex, key)
		return s.outcome("lost", err)
	}
	s.t.Fatalf("unknown step %q", words)
	return ""
}

func (s *script) beginRun(name string, args []string) string {
	n := NewRun{}
	q := s.query(args)
	n.Tenant, n.App, n.Agent, n.Tags = q.Tenant, q.App, q.Agent, q.Tags
	if q.Parent != "" {
		id, err := ParseID(q.Parent)
		require.NoError(s.t, err)
		n.Parent = id
	}
	n.ID = [16]byte{15: byte(len(s.runs) + 1)}
	if old, ok := s.runs[name]; ok {
		id, err := ParseID(old.Record)
		require.NoError(s.t, err)
		n.ID = id
	}
	run, err := s.create(n)
	if err == nil {
		s.runs[name] = run
	}
	return s.outcome("begun", err)
}

func (s *script) onRun(run *backend.Scope, verb string, args []string) string {
	r := s.record(run)
	do := map[string]func(context.Context) error{
		"pause": r.Pause, "resume": r.Resume, "complete": r.Complete, "cancel": r.Cancel,
		"archive": r.Archive,
		"fail":    func(ctx context.Context) error { return r.Fail(ctx, strings.Join(args, " ")) },
		"tag":     func(ctx context.Context) error { return r.AddTags(ctx, args...) },
		"untag":   func(ctx context.Context) error { return r.RemoveTags(ctx, args...) },
		"retag":   func(ctx context.Context) error { return r.SetTags(ctx, args...) },
		"delete":  func(context.Context) error { return s.delete(run) },
	}[verb]
	if do != nil {
		return s.outcome("ok", do(s.ctx))
	}
	switch verb {
	case "info":
		i, err := r.Info(s.ctx)
		return s.outcome(s.show(i), err)
	case "children", "ancestors":
		seq := r.Children(s.ctx)
		if verb == "ancestors" {
			seq = r.Ancestors(s.ctx)
		}
		var list []Info
		for i, err := range seq {
			if err != nil {
				return s.outcome("", err)
			}
			list = append(list, i)
		}
		return s.names(list)
	}
	s.t.Fatalf("unknown step %q", verb)
	return ""
}

func (s *script) query(args []string) Query {
	var q Query
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "tenant":
			q.Tenant = value
		case "app":
			q.App = value
		case "agent":
			q.Agent = value
		case "tags":
			q.Tags = strings.Split(value, ",")
		case "parent":
			q.Parent = s.runs[value].Record
		case "status":
			for _, text := range strings.Split(value, ",") {
				status, err := codec.ParseStatus(text)
				require.NoError(s.t, err)
				q.Status = append(q.Status, status)
			}
		case "limit":
			n, err := strconv.Atoi(value)
			require.NoError(s.t, err)
			q.Limit = n
		case "interrupted":
			q.Interrupted = true
		case "archived":
			q.IncludeArchived = true
		case "newest":
			q.Reverse = true
		default:
			s.t.Fatalf("unknown word %q", a)
		}
	}
	return q
}

// name is what the script calls a run.
func (s *script) name(id string) string {
	for name, run := range s.runs {
		if run.Record == id {
			return name
		}
	}
	return "?"
}

func (s *script) names(list []Info) string {
	return "[" + strings.Join(ids(list, func(i Info) string { return s.name(i.ID) }), " ") + "]"
}

func (s *script) show(i Info) string {
	out := i.Status.String()
	if i.Interrupted {
		out += " (interrupted)"
	}
	out += fmt.Sprintf(" %s/%s/%s", i.Tenant, i.App, i.Agent)
	for _, part := range []struct{ name, text string }{
		{"tags", strings.Join(i.Tags, ",")}, {"error", i.Error}, {"ended", s.since(i.Ended)},
		{"updated", s.since(i.Updated)},
	} {
		if part.text != "" {
			out += " " + part.name + "=" + part.text
		}
	}
	if i.Parent != "" {
		out += " parent=" + s.name(i.Parent)
	}
	return out
}

// since is a time in the script's own.
func (s *script) since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Sub(time.Unix(1e9, 0)).String()
}

// outcome is the result, or which error came instead.
func (s *script) outcome(result string, err error) string {
	if err == nil {
		return result
	}
	var names []string
	for _, e := range []struct {
		name string
		is   error
	}{
		{"not found", txn.ErrRunNotFound}, {"exists", ErrRunExists},
		{"not active", txn.ErrRunNotActive}, {"invalid transition", txn.ErrInvalidTransition},
		{"invalid argument", codec.ErrInvalidArgument}, {"corrupt", codec.ErrCorrupt},
	} {
		if errors.Is(err, e.is) {
			names = append(names, e.name)
		}
	}
	if len(names) == 0 {
		return "error: " + err.Error()
	}
	return "error: " + strings.Join(names, ", ")
}
