package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// front and inner are a small module: a public package, and an internal one that it shows.
const (
	front = `package db

import (
	"context"

	"github.com/inmem-db/inmem/internal/inner"
)

const Limit = 10

var ErrClosed error

type Stats = inner.Stats

type DB struct{ mu [0]func() }

func Open(ctx context.Context, dir string) (_ *DB, err error) { return nil, nil }

func (db *DB) Engine() inner.Engine { return nil }

func Get[T any](db *DB, key string) (v T, err error) { return v, nil }

type Reader interface{ Read(key string) string }

type ID [16]byte
`
	inner = `package inner

type Stats struct{ Commits int }

type Engine interface{ Close() error }

type Unseen struct{ Field int }
`
)

// plant writes the module to a new folder.
func plant(t *testing.T, front, inner string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                  "module " + module + "\n\ngo 1.25.0\n",
		"pkg/db/db.go":            front,
		"internal/inner/inner.go": inner,
	} {
		write(t, filepath.Join(root, name), text)
	}
	return root
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestChanges records the API of the module above, edits the module, and compares.
func TestChanges(t *testing.T) {
	baseline := t.TempDir()
	if _, err := run(io.Discard, plant(t, front, inner), baseline, true); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, old, new string
		want           string // part of the output
		broken         int
	}{
		{"nothing", "", "", "0 incompatible and 0 compatible", 0},
		{"constant changed", "Limit = 10", "Limit = 11", "INCOMPATIBLE", 1},
		{"variable removed", "var ErrClosed error", "", "ErrClosed: removed", 1},
		{"function added", "type ID", "func New() {}\n\ntype ID", "New: added", 0},
		{"parameter added", "dir string)", "dir string, n int)", "Open: changed", 1},
		{"parameter renamed", "dir string)", "folder string)", "0 incompatible and 0", 0},
		{"method removed", "Engine()", "engine()", "Engine: removed", 1},
		{"constraint narrowed", "T any", "T comparable", "Get: constraint changed", 1},
		{"interface grown", "Read(key string)", "Stop(); Read(key string)", "Stop: added", 1},
		{"comparable no more", "ID [16]byte", "ID []byte", "INCOMPATIBLE", 1},
		{"hidden field added", "mu [0]func()", "mu [0]func(); n int", "0 incompatible and 0", 0},
		{"alias: field removed", "Commits int", "commits int", "Stats.Commits: removed", 1},
		{"alias: field added", "Commits int", "Commits, Aborts int", "Stats.Aborts: added", 0},
		{"result: method removed", "Close() error", "Stop() error", "Engine.Close: removed", 1},
		{"result: method added", "Close() error", "Close() error; Stop()", "Engine.Stop: added", 0},
		{"out of reach", "Field int", "Other int", "0 incompatible and 0 compatible", 0},
		{"unreached now", "Engine() inner.Engine", "Engine() any", "Engine: changed", 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(front+inner, c.old) {
				t.Fatalf("%q is not in the module", c.old)
			}
			root := plant(t, front, inner)
			if c.old != "" {
				root = plant(t, strings.Replace(front, c.old, c.new, 1),
					strings.Replace(inner, c.old, c.new, 1))
			}
			var out strings.Builder
			broken, err := run(&out, root, baseline, false)
			if err != nil {
				t.Fatal(err)
			}
			if broken != c.broken || !strings.Contains(out.String(), c.want) {
				t.Errorf("%d incompatible, want %d and %q in\n%s", broken, c.broken, c.want, &out)
			}
		})
	}
}

func TestRemovedPackage(t *testing.T) {
	root, baseline := plant(t, front, inner), t.TempDir()
	write(t, filepath.Join(root, "pkg/kv/kv.go"), "package kv\n\nconst A = 1\n")
	if _, err := run(io.Discard, root, baseline, true); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "pkg/kv")); err != nil {
		t.Fatal(err)
	}
	if broken, err := run(io.Discard, root, baseline, false); err != nil || broken != 1 {
		t.Errorf("broken %d, %v", broken, err)
	}
	if _, err := run(io.Discard, root, baseline, true); err != nil {
		t.Fatal(err)
	}
	if broken, err := run(io.Discard, root, baseline, false); err != nil || broken != 0 {
		t.Errorf("after the update: broken %d, %v", broken, err)
	}
}

// TestNoSilentPass: where nothing can be compared, the check fails.
func TestNoSilentPass(t *testing.T) {
	if _, err := run(io.Discard, plant(t, front, inner), t.TempDir(), false); err == nil {
		t.Error("passed without a baseline")
	}
	broken := plant(t, front+"\nvar x int = \"\"\n", inner)
	if _, err := run(io.Discard, broken, t.TempDir(), true); err == nil {
		t.Error("recorded a package that does not compile")
	}
	empty := t.TempDir()
	write(t, filepath.Join(empty, "go.mod"), "module "+module+"\n\ngo 1.25.0\n")
	if _, err := run(io.Discard, empty, t.TempDir(), true); err == nil {
		t.Error("recorded an empty module")
	}
}
