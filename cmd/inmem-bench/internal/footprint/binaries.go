package footprint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// module is the one that is built.
const module = "github.com/inmem-db/inmem"

// minimal is the smallest program that uses the library: what it adds to who uses it.
const minimal = `package main

import (
	"context"

	inmem "` + module + `/pkg/db"
)

func main() {
	db, err := inmem.Open("data", nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	run, err := db.BeginRun(context.Background(), inmem.RunOptions{})
	if err != nil {
		panic(err)
	}
	if _, err := run.KV().Put(context.Background(), "key", inmem.Int(1)); err != nil {
		panic(err)
	}
}
`

// binaries are the sizes of programs, built by the go command that is at hand from the sources that
// lie in the working directory or above it. Where there are none, there is nothing to say.
func (m *maker) binaries() []measure.Workload {
	var all []measure.Workload
	for _, b := range []struct{ name, about, source string }{
		{"inmem", "the command inmem", "./cmd/inmem"},
		{"inmem-bench", "the command inmem-bench", "./cmd/inmem-bench"},
		{"minimal", "a program that opens a database and puts a key", ""},
		{"minimal_stripped", "the same without symbols (-ldflags='-s -w')", ""},
	} {
		w := measure.Workload{Name: "binary/" + b.name, About: "size of " + b.about, Once: true,
			Long: true}
		w.Setup = func(ctx context.Context, dir string) (*measure.Trial, error) {
			var size int64
			return &measure.Trial{
				Op: func(ctx context.Context, _, _ int) (err error) {
					size, err = build(ctx, dir, b.source, strings.HasSuffix(b.name, "_stripped"))
					return err
				},
				Metrics: func() []measure.Metric {
					if size == 0 {
						return nil
					}
					return []measure.Metric{{Name: BinaryMB, Value: float64(size) / 1e6}}
				},
			}, nil
		}
		all = append(all, w)
	}
	return all
}

// build builds a package of the module, or the minimal program, and returns its size; 0 without a
// go command or sources.
func build(ctx context.Context, dir, source string, stripped bool) (int64, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil || strings.TrimSpace(string(root)) == "" {
		return 0, nil // by design: an installed command has no sources
	}
	if source == "" {
		source = filepath.Join(dir, "main.go")
		if err := os.WriteFile(source, []byte(minimal), 0o600); err != nil {
			return 0, err
		}
	}
	out := filepath.Join(dir, "binary")
	args := []string{"build", "-o", out}
	if stripped {
		args = append(args, "-ldflags=-s -w")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, source)...)
	cmd.Dir = strings.TrimSpace(string(root))
	if text, err := cmd.CombinedOutput(); err != nil {
		return 0, errors.Join(fmt.Errorf("go build %s: %s", source, text), err)
	}
	info, err := os.Stat(out)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
