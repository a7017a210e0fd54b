package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// importFlags say what becomes of the runs of bundles.
type importFlags struct {
	options inmem.ImportOptions
	skip    bool
	check   bool
}

// newImportCommand makes the command that takes bundles; other sources of runs are commands under
// it.
func newImportCommand(e *env) *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use: "import FILE...", GroupID: groupMove,
		Short: "Take runs from bundles, or from transcripts",
		Long: `Takes runs from bundles that inmem export wrote, with their whole history; - is the standard
input. Each is read to its end, and found whole, before anything of it is imported. A run that is
there already is never overwritten.

The database is made if there is none.`,
		Example: `  inmem import run.inmem
  inmem import --skip-existing backup/*.inmem
  inmem import --check run.inmem`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return advise(usagef("import: no file"), "see inmem import --help")
			}
			if len(args) > 1 && f.options.ID != "" {
				return usagef("import: --id is for one file")
			}
			if f.check {
				return e.checkBundles(c.Context(), args)
			}
			return e.create(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				for _, file := range args {
					if err := e.importBundle(ctx, db, file, &f); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	c.AddCommand(newTranscriptsCommand(e))
	c.Flags().StringVar(&f.options.ID, "id", "", "give the run another id")
	c.Flags().StringVar(&f.options.Tenant, "tenant", "", "put the runs under this tenant")
	c.Flags().StringVar(&f.options.App, "app", "", "put the runs under this app")
	c.Flags().StringVar(&f.options.Agent, "agent", "", "put the runs under this agent")
	c.Flags().BoolVar(&f.skip, "skip-existing", false, "pass over runs that are there already")
	c.Flags().BoolVar(&f.check, "check", false, "only read the files and say what is in them")
	return c
}

// importedDoc is what import says of one bundle.
type importedDoc struct {
	Run     string `json:"run"`
	File    string `json:"file"`
	Status  string `json:"status"`
	Commits uint64 `json:"commits"`
	// Skipped: the run was there already.
	Skipped bool `json:"skipped,omitempty"`
}

func (e *env) importBundle(ctx context.Context, db *inmem.DB, file string, f *importFlags) error {
	r, err := e.openInput(file)
	if err != nil {
		return err
	}
	run, err := db.ImportRun(ctx, r, f.options)
	err = errors.Join(err, r.Close())
	if f.skip && errors.Is(err, inmem.ErrRunExists) {
		doc := importedDoc{File: file, Skipped: true}
		return e.stream(doc, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "skipped, the run is there already  %s\n", file)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	info, err := run.Info(ctx)
	if err != nil {
		return err
	}
	doc := importedDoc{
		Run: info.ID, File: file, Status: info.Status.String(), Commits: info.Commits,
	}
	return e.stream(doc, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "imported %s  %s, %d commits  %s\n",
			doc.Run, doc.Status, doc.Commits, file)
		return err
	})
}

func (e *env) checkBundles(ctx context.Context, files []string) error {
	for _, file := range files {
		r, err := e.openInput(file)
		if err != nil {
			return err
		}
		info, err := inmem.VerifyBundle(ctx, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return advise(fmt.Errorf("%s: %w", file, err), "export the run anew")
		}
		doc := docOfBundle(file, &info)
		err = e.stream(doc, func(w io.Writer) error { return writeBundle(w, "whole:", &doc) })
		if err != nil {
			return err
		}
	}
	return nil
}

// openInput opens a file, or the standard input for "-".
func (e *env) openInput(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(e.in), nil
	}
	return os.Open(file)
}
