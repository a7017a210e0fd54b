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

// eventDoc is an event.
type eventDoc struct {
	Seq     uint64      `json:"seq"`
	Type    string      `json:"type"`
	Payload inmem.Value `json:"payload"`
	Time    time.Time   `json:"time"`
	Version uint64      `json:"version"`
	Hash    inmem.Hash  `json:"hash"`
}

func docOfEvent(ev *inmem.Event) eventDoc {
	return eventDoc{
		Seq: ev.Seq, Type: ev.Type, Payload: ev.Payload, Time: ev.Time.UTC(),
		Version: ev.Version, Hash: inmem.Hash(ev.Hash),
	}
}

// eventFlags select events.
type eventFlags struct {
	options      inmem.EventOptions
	since, until string
	at           string
	follow       bool
	every        time.Duration
}

func newEventsCommand(e *env) *cobra.Command {
	var f eventFlags
	c := &cobra.Command{
		Use: "events RUN", GroupID: groupLook,
		Short: "List the events of a run, or follow them",
		Long: `Lists what happened in a run, in the order in which it happened, with number, time, type and
payload. With -f it then waits for more, until Ctrl-C: it looks anew at every --interval, and between
two looks the database is free for others. With --json it writes a line for each event.`,
		Example: `  inmem events latest
  inmem events latest --type tool_call --reverse --limit 10
  inmem events latest --from 100 --to 120 --full
  inmem events latest -f`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if f.options.Since, err = e.time(f.since); err != nil {
				return err
			}
			if f.options.Until, err = e.time(f.until); err != nil {
				return err
			}
			if f.follow && (f.options.Reverse || f.at != "" || f.options.Limit != 0) {
				return usagef("events: --follow has no --reverse, --limit or --at")
			}
			if f.follow {
				return e.followEvents(c.Context(), args[0], &f)
			}
			return e.viewing(c.Context(), args[0], f.at, func(ctx context.Context, v *inmem.View) error {
				_, err := e.events(ctx, v, f.options)
				return err
			})
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&f.follow, "follow", "f", false, "wait for more")
	fs.DurationVar(&f.every, "interval", time.Second, "how often to look for more")
	fs.StringVar(&f.options.Type, "type", "", "only events of this type")
	fs.Uint64Var(&f.options.Start, "from", 0, "the first number")
	fs.Uint64Var(&f.options.End, "to", 0, "the first number that is left out")
	fs.StringVar(&f.since, "since", "", "only events of this time or later")
	fs.StringVar(&f.until, "until", "", "only events before this time")
	fs.BoolVar(&f.options.Reverse, "reverse", false, "the newest first")
	fs.IntVar(&f.options.Limit, "limit", 0, "the most events; 0 is all")
	fs.StringVar(&f.at, "at", "", "as it was at this version or time")
	return c
}

// events writes the selected events, and returns the number behind the last one.
func (e *env) events(ctx context.Context, v *inmem.View, o inmem.EventOptions) (uint64, error) {
	next := o.Start
	for ev, err := range v.Events().List(ctx, o) {
		if err != nil {
			return next, err
		}
		next = ev.Seq + 1
		doc := docOfEvent(&ev)
		if e.json {
			err = e.encode(doc)
		} else {
			err = e.writeEvent(e.out, &doc)
		}
		if err != nil {
			return next, err
		}
	}
	return next, nil
}

// typeWidth is the column of types; longer ones push the payload to the right.
const typeWidth = 18

func (e *env) writeEvent(w io.Writer, ev *eventDoc) error {
	typ := show.Pad(terminal.Clean(ev.Type), typeWidth)
	s := e.style()
	_, err := fmt.Fprintf(w, "%s  %s  %s  %s\n", s.Dim(fmt.Sprintf("#%-4d", ev.Seq)),
		s.Dim(e.clock(ev.Time)), s.Bold(typ),
		e.brief(ev.Payload, max(16, show.Width-30-len([]rune(typ)))))
	return err
}

// followEvents lists events, and then those that come.
func (e *env) followEvents(ctx context.Context, name string, f *eventFlags) error {
	o := f.options
	return e.poll(ctx, f.every, func(ctx context.Context, db *inmem.DB) error {
		run, err := e.run(ctx, db, name)
		if err != nil {
			return err
		}
		name = run.ID() // "latest" may be another one next time
		return run.View(ctx, func(v *inmem.View) error {
			o.Start, err = e.events(ctx, v, o)
			return err
		})
	})
}
