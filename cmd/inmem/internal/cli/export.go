package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// exportFlags say what is exported, and where to.
type exportFlags struct {
	out   string
	at    string
	all   bool
	query queryFlags
}

func newExportCommand(e *env) *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use: "export RUN... | --all", GroupID: groupMove,
		Short: "Write runs with their whole history to files",
		Long: `Writes each run with its whole history into a file of its own, a bundle, that inmem import takes,
in this database or another. The same run makes the same bytes every time.

Files are named after the runs, RUN` + bundleEnding + `, in the directory --out, which is made if
it is missing. One run can also be written to a file, or as --out - to the standard output. What is
there is never overwritten.`,
		Example: `  inmem export latest
  inmem export 01a206ff --at 120 --out run.inmem
  inmem export --all --status failed --out backup/
  inmem export latest --out - | ssh elsewhere inmem import -`,
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) > 0) == f.all {
				return advise(usagef("export: name runs, or give --all"), "see inmem export --help")
			}
			if len(args) != 1 && (f.at != "" || f.out == "-") {
				return usagef("export: --at and --out - are for one run")
			}
			return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
				if f.all {
					return e.exportAll(ctx, db, &f)
				}
				for _, name := range args {
					if err := e.exportRun(ctx, db, name, &f); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	c.Flags().StringVarP(&f.out, "out", "o", ".", "a directory; for one run also a file, or -")
	c.Flags().StringVar(&f.at, "at", "", "the last version or time that is exported")
	c.Flags().BoolVar(&f.all, "all", false, "every run that the filters select")
	f.query.add(c.Flags())
	return c
}

func (e *env) exportAll(ctx context.Context, db *inmem.DB, f *exportFlags) error {
	q, err := f.query.query(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.out, 0o777); err != nil {
		return err
	}
	for info, err := range db.Runs().All(ctx, q) {
		if err != nil {
			return err
		}
		if err := e.exportRun(ctx, db, info.ID, f); err != nil {
			return err
		}
	}
	return nil
}

func (e *env) exportRun(ctx context.Context, db *inmem.DB, name string, f *exportFlags) error {
	run, err := e.run(ctx, db, name)
	if err != nil {
		return err
	}
	var o inmem.ExportOptions
	if o.At, err = e.version(ctx, run, f.at); err != nil {
		return err
	}
	if f.out == "-" {
		_, err := db.ExportRun(ctx, run.ID(), e.out, o)
		return err
	}
	path := f.out
	if dir, err := os.Stat(path); err == nil && dir.IsDir() {
		path = filepath.Join(path, run.ID()+bundleEnding)
	}
	var info inmem.BundleInfo
	err = writeNew(path, func(w io.Writer) error {
		info, err = db.ExportRun(ctx, run.ID(), w, o)
		return err
	})
	if err != nil {
		return err
	}
	doc := docOfBundle(path, &info)
	return e.stream(doc, func(w io.Writer) error { return writeBundle(w, "exported", &doc) })
}

// writeNew makes a file that is not there yet. It stands in its place when it is whole: after an
// error there is nothing.
func writeNew(path string, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return advise(fmt.Errorf("%s: %w", path, os.ErrExist), "remove it, or name another file")
	}
	partial := path + ".partial"
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Sync(), f.Close()); err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(partial))
	}
	return err
}
