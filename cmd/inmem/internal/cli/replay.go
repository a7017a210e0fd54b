package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// replayFlags say what is told.
type replayFlags struct {
	from, to   string
	primitives []string
	prefix     string
	values     string
	step, own  bool
}

// valuesNames are what --values takes.
var valuesNames = map[string]inmem.ReplayValues{
	"new": inmem.NewValues, "both": inmem.OldAndNewValues, "none": inmem.NoValues,
}

func newReplayCommand(e *env) *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use: "replay RUN", GroupID: groupLook,
		Short: "Tell what happened in a run, commit by commit",
		Long: `Tells the commits of a run in their order, each with what it changed, as it was recorded. A fork
begins with what it has from its parent. With --step it stops behind each commit until Enter; q ends
it. With --json it writes a line for each commit. Where retention has removed the beginning it
begins with the earliest state there is.`,
		Example: `  inmem replay latest
  inmem replay latest --from 100 --to 120 --values both
  inmem replay latest --primitive cells --prefix status
  inmem replay latest --step`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				run, err := e.run(ctx, db, args[0])
				if err != nil {
					return err
				}
				if o.From, err = e.version(ctx, run, f.from); err != nil {
					return err
				}
				if o.To, err = e.version(ctx, run, f.to); err != nil {
					return err
				}
				return e.replay(ctx, run, o, f.step)
			})
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.from, "from", "", "the first version or time")
	fs.StringVar(&f.to, "to", "", "the last version or time")
	fs.StringSliceVar(&f.primitives, "primitive", nil,
		"only changes of these: kv, events, cells, machines, traces, extensions, vectors")
	fs.StringVar(&f.prefix, "prefix", "", "only keys, cells and spans whose names begin so")
	fs.StringVar(&f.values, "values", "new", "what is told of each change: new, both or none")
	fs.BoolVar(&f.step, "step", false, "stop behind each commit until Enter")
	fs.BoolVar(&f.own, "own", false, "without what a fork has from its parent")
	return c
}

func (f *replayFlags) options() (inmem.ReplayOptions, error) {
	o := inmem.ReplayOptions{Prefix: f.prefix, OwnOnly: f.own, FromEarliest: true}
	values, ok := valuesNames[f.values]
	if !ok {
		return o, usagef("--values %s: it is new, both or none", f.values)
	}
	o.Values = values
	for _, name := range f.primitives {
		var p inmem.Primitive
		if err := p.UnmarshalText([]byte(name)); err != nil {
			return o, err
		}
		o.Primitives = append(o.Primitives, p)
	}
	return o, nil
}

// replay tells commits, and with step waits behind each.
func (e *env) replay(ctx context.Context, run *inmem.Run, o inmem.ReplayOptions, step bool) error {
	keys := bufio.NewReader(e.in)
	n := 0
	for c, err := range run.Replay(ctx, o) {
		if err != nil {
			return err
		}
		n++
		if e.json {
			err = e.encode(c)
		} else {
			err = e.writeCommit(e.out, &c, o.Values == inmem.OldAndNewValues)
		}
		if err != nil {
			return err
		}
		if !step {
			continue
		}
		if more, err := e.pause(keys); err != nil || !more {
			return err
		}
	}
	if n == 0 && !e.json {
		_, err := fmt.Fprintln(e.out, "no commit")
		return err
	}
	return nil
}

// pause waits for Enter. More is false at the end of the input, and after a q.
func (e *env) pause(keys *bufio.Reader) (more bool, err error) {
	if err := e.out.Flush(); err != nil {
		return false, err
	}
	line, err := keys.ReadString('\n')
	if err == io.EOF {
		return false, nil
	}
	return strings.TrimSpace(line) != "q", err
}

// writeCommit shows a commit and what it changed.
func (e *env) writeCommit(w io.Writer, c *inmem.Commit, both bool) error {
	s := e.style()
	what := show.Count(len(c.Changes), "change")
	if c.State {
		what = "the state that retention has left: " + show.Count(len(c.Changes), "value")
	}
	head := fmt.Sprintf("version %d", c.Version)
	if _, err := fmt.Fprintf(w, "%s  commit %d  %s  %s\n", s.Bold(head), c.Number, e.clock(c.Time),
		s.Dim(what)); err != nil {
		return err
	}
	for i := range c.Changes {
		text, err := e.change1(&c.Changes[i], both)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "  %s\n", text); err != nil {
			return err
		}
	}
	return nil
}

// change1 is a change in a line.
func (e *env) change1(c *inmem.Change, both bool) (string, error) {
	name := terminal.Clean(c.String())
	width := max(16, show.Width-4-len([]rune(name)))
	text := ""
	if both {
		old, ok, err := c.Old()
		if err != nil {
			return "", err
		}
		if width /= 2; ok {
			text = e.brief(old, width) + " → "
		}
	}
	if !c.Writes() {
		return strings.TrimSpace(name + "  " + text), nil
	}
	if v, err := c.Value(); err == nil {
		text += e.brief(v, width)
	}
	return strings.TrimSpace(name + "  " + text), nil
}
