package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// transcriptFlags say how transcripts are imported.
type transcriptFlags struct {
	format, durability, name string
	skip                     bool
	o                        transcript.Options
}

func newTranscriptsCommand(e *env) *cobra.Command {
	var f transcriptFlags
	c := &cobra.Command{
		Use:   "transcripts FILE...",
		Short: "Make runs of transcripts of agents",
		Long: `Makes every trajectory in the files a run: every message an event, every tool call a span. The
database is made if --db names none. docs/transcripts.md says what is understood of each format, and
what is in a run.

The import can be repeated: what is there is skipped, what an import left half done is done anew. So
after Ctrl-C, or an error, the same command goes on. FILE - is the standard input, under the name
--name.

A malformed record ends the import, and is named with its file and offset; with --skip-malformed it
is left out and reported.`,
		Example: `  inmem import transcripts --db agent-db trials.json
  inmem import transcripts --db agent-db --tag model=m-3 runs/*.traj
  zcat big.jsonl.gz | inmem import transcripts --db agent-db --name big.jsonl -`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return advise(usagef("import transcripts: no files are named"),
					"usage: %s; - is the standard input", c.UseLine())
			}
			return e.importTranscripts(c.Context(), args, &f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.format, "format", "auto", "auto, openai-messages, swe-agent or jsonl")
	flags.StringVar(&f.durability, "durability", "batched",
		"strict, batched or async: when what is written is on stable storage; at the end all is")
	flags.BoolVar(&f.skip, "skip-malformed", false, "leave malformed records out, and report them")
	flags.StringArrayVar(&f.o.Tags, "tag", nil, "give all runs this tag; repeat it for several")
	flags.StringVar(&f.o.Tenant, "tenant", "", "the tenant of the runs")
	flags.StringVar(&f.o.App, "app", "", "the app of the runs")
	flags.StringVar(&f.o.Agent, "agent", "", "the agent of the runs; default: what a record names")
	flags.StringVar(&f.o.Model, "model", "", "the model of records that name none")
	flags.Float64Var(&f.o.PassReward, "pass-reward", 1, "the reward from which a run has passed")
	flags.IntVar(&f.o.EntriesPerCommit, "per-commit", 1,
		"entries in a commit: 1 lets you look at a run after each of them, more is faster")
	flags.StringVar(&f.name, "name", "stdin", "the name of the source that - reads")
	return c
}

// transcriptsDoc is what an import of several files did.
type transcriptsDoc struct {
	Files []transcript.Result `json:"files"`
	// Complete: every file was read to its end.
	Complete bool `json:"complete"`
	// Runs... are the sums of the files.
	Runs      int `json:"runs"`
	Skipped   int `json:"skipped"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
	Events    int `json:"events"`
	Messages  int `json:"messages"`
	Spans     int `json:"spans"`
	ToolCalls int `json:"tool_calls"`
	Malformed int `json:"malformed"`
}

func (d *transcriptsDoc) add(r *transcript.Result) {
	d.Files = append(d.Files, *r)
	d.Runs += r.Runs
	d.Skipped += r.Skipped
	d.Completed += r.Completed
	d.Failed += r.Failed
	d.Cancelled += r.Cancelled
	d.Events += r.Events
	d.Messages += r.Messages
	d.Spans += r.Spans
	d.ToolCalls += r.ToolCalls
	d.Malformed += r.Malformed
}

// options checks the flags.
func (f *transcriptFlags) options() (*inmem.Options, error) {
	if f.format != "auto" {
		var err error
		if f.o.Read.Format, err = transcript.ParseFormat(f.format); err != nil {
			return nil, advise(usagef("%q is not a format", f.format),
				"they are auto, openai-messages, swe-agent, jsonl")
		}
	}
	if f.skip {
		f.o.Malformed = transcript.SkipMalformed
	}
	modes := []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async}
	i := slices.IndexFunc(modes, func(d inmem.Durability) bool { return d.String() == f.durability })
	if i < 0 {
		return nil, advise(usagef("%q is not a durability", f.durability),
			"they are strict, batched, async")
	}
	o := options()
	o.Durability = modes[i]
	return o, nil
}

// importTranscripts imports the files, one after the other, and says what was done, also beside an
// error.
func (e *env) importTranscripts(ctx context.Context, files []string, f *transcriptFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	if e.dir == "." { // a database in the middle of somebody's files is rarely meant
		if err := e.exists(); err != nil {
			return err
		}
	}
	for _, file := range files { // better now than after an hour of the others
		if _, err := os.Stat(file); err != nil && file != "-" {
			return advise(fmt.Errorf("import transcripts: %w", err),
				"name files that are there; - is the standard input")
		}
	}
	doc := transcriptsDoc{Files: []transcript.Result{}}
	err = e.open(ctx, o, func(ctx context.Context, db *inmem.DB) error {
		for _, file := range files {
			res, err := e.importFile(ctx, db, file, f)
			if err == nil || res.Bytes > 0 {
				doc.add(&res)
			}
			if err != nil {
				return adviseImport(err)
			}
		}
		return nil
	})
	if err != nil && len(doc.Files) == 0 {
		return err
	}
	doc.Complete = err == nil
	return errors.Join(e.print(&doc, func(w io.Writer) error { return e.writeTranscripts(w, &doc) }),
		err)
}

// importFile imports one file, with a bar on the terminal that says how far it has come.
func (e *env) importFile(ctx context.Context, db *inmem.DB, file string, f *transcriptFlags,
) (transcript.Result, error) {
	s := transcript.Source{Name: f.name, Reader: e.in}
	if file != "-" {
		opened, closer, err := transcript.OpenFile(file)
		if err != nil {
			return transcript.Result{}, err
		}
		defer func() { _ = closer.Close() }()
		s = opened
	}
	o := f.o
	if e.terminal() {
		bar := newProgress(e.err, s.Name, s.Size)
		defer bar.clear()
		o.Progress = bar.at
	}
	return transcript.Import(ctx, db, s, o)
}

// adviseImport says what to do about an import that did not come to its end.
func adviseImport(err error) error {
	var bad *transcript.RecordError
	switch {
	case errors.As(err, &bad) && bad.Fatal:
		return advise(corruptf("%w", err),
			"no further record can be made out: mend the file there; the same command goes on then")
	case errors.As(err, &bad):
		return advise(corruptf("%w", err),
			"mend the file there, or leave such records out with --skip-malformed")
	case errors.Is(err, transcript.ErrUnknownFormat):
		return advise(usagef("%w", err), "name it with --format; see inmem import transcripts --help")
	}
	return err
}

func (e *env) writeTranscripts(w io.Writer, doc *transcriptsDoc) error {
	t := show.Table{Style: e.style(), Columns: []show.Column{{Title: "FILE", Flexible: true},
		{Title: "FORMAT"}, {Title: "SIZE", Align: show.Right}, {Title: "RUNS", Align: show.Right},
		{Title: "PASSED", Align: show.Right}, {Title: "FAILED", Align: show.Right},
		{Title: "THERE", Align: show.Right}, {Title: "EVENTS", Align: show.Right},
		{Title: "SPANS", Align: show.Right}, {Title: "CALLS", Align: show.Right}}}
	for i := range doc.Files {
		r := &doc.Files[i]
		t.Row(r.Source, string(r.Format), show.Size(r.Bytes), show.Grouped(r.Runs),
			show.Grouped(r.Completed), show.Grouped(r.Failed), show.Grouped(r.Skipped),
			show.Grouped(r.Events), show.Grouped(r.Spans), show.Grouped(r.ToolCalls))
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if err := writeMalformed(w, doc); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", doc.sentence())
	return err
}

// maxMalformed is how many malformed records are listed for people.
const maxMalformed = 10

func writeMalformed(w io.Writer, doc *transcriptsDoc) error {
	if doc.Malformed == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s left out:\n", show.Count(doc.Malformed, "malformed record"))
	n := 0
	for i := range doc.Files {
		for _, bad := range doc.Files[i].Errors {
			if n++; n <= maxMalformed {
				fmt.Fprintf(&b, "  %s\n", terminal.Clean(bad.Error()))
			}
		}
	}
	if doc.Malformed > maxMalformed {
		fmt.Fprintf(&b, "  and %d more; --json has %d of each file\n", doc.Malformed-maxMalformed,
			transcript.MaxErrors)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sentence sums up.
func (d *transcriptsDoc) sentence() string {
	s := fmt.Sprintf("imported %s: %d passed, %d failed", show.Count(d.Runs, "run"), d.Completed,
		d.Failed)
	if d.Cancelled > 0 {
		s += fmt.Sprintf(", %d cancelled", d.Cancelled)
	}
	s += fmt.Sprintf("; %s, %s", show.Count(d.Messages, "message"),
		show.Count(d.ToolCalls, "tool call"))
	if d.Skipped > 0 {
		s += fmt.Sprintf("; %s there already", show.Count(d.Skipped, "run"))
	}
	if !d.Complete {
		s += "\nnot complete: what is there stays, and the same command goes on"
	}
	return s
}
