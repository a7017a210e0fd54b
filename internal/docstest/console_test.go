package docstest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// shell runs the commands of one page, one after the other, in a folder of its own. What a command
// exports, the next ones have.
type shell struct {
	dir string
	env []string
}

// buildCommand builds inmem into a folder of its own.
func buildCommand(t *testing.T) (bin string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the pages are written for a shell of Unix")
	}
	bin = t.TempDir()
	command(t, root, "build", "-ldflags", "-s -w", "-o", filepath.Join(bin, "inmem"), "./cmd/inmem")
	return bin
}

// newShell is a shell that finds the programs in a folder, and in its own the samples of the
// repository.
func newShell(t *testing.T, bin string) *shell {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Symlink(absolute(t, filepath.Join(root, "pkg")),
		filepath.Join(dir, "pkg")))
	env := append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"LC_ALL=C.UTF-8", "INMEM_DB=")
	return &shell{dir: dir, env: env}
}

// page runs every command of the blocks of kind console, and compares what it prints with what
// stands below it. A command that is to fail says so: its output ends with "exit 3".
func (s *shell) page(t *testing.T, page string) {
	t.Helper()
	all, _ := blocks(readPage(t, page))
	consoles := ofKind(all, "console")
	require.NotEmpty(t, consoles, page)
	for _, b := range consoles {
		for _, c := range conversations(b) {
			got := s.run(t, c.command)
			if !matches(c.output, got) {
				t.Fatalf("%s:%d: $ %s\nprints\n%s\nand not\n%s", page, c.line, c.command, got, c.output)
			}
		}
	}
}

// run runs one line and returns all that it prints.
func (s *shell) run(t *testing.T, line string) string {
	t.Helper()
	if name, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
		s.env = append(s.env, name)
		return ""
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		var status *exec.ExitError
		require.ErrorAs(t, err, &status)
		return string(out) + "exit " + strings.TrimPrefix(status.String(), "exit status ") + "\n"
	}
	return string(out)
}

// Everything on the page works as it says: the commands, and the program, which is run in between.
func TestGettingStarted(t *testing.T) {
	const page = "docs/getting-started.md"
	bin := buildCommand(t)
	all, _ := blocks(readPage(t, page))
	programs := ofKind(all, "go")
	require.Len(t, programs, 1)
	program := filepath.Join(bin, "program")
	command(t, newModule(t, programs[0].text), "build", "-o", program, ".")
	// What "go run ." stands for on this page.
	script := "#!/bin/sh\nexec " + program + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755))
	newShell(t, bin).page(t, page)
}

// Every command of the pages in docs/howto does what the page says.
func TestHowTos(t *testing.T) {
	before := map[string]func(t *testing.T, s *shell){
		"docs/howto/resume.md": killedAgent,
	}
	bin := buildCommand(t)
	seen := 0
	for _, page := range pages(t) {
		if filepath.Dir(page) != filepath.Join("docs", "howto") {
			continue
		}
		seen++
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			t.Parallel()
			s := newShell(t, bin)
			if prepare := before[page]; prepare != nil {
				prepare(t, s)
			}
			s.page(t, page)
		})
	}
	require.GreaterOrEqual(t, seen, 5)
}

// killedAgent leaves the database "agent-db" as an agent does that is killed in the middle of a
// run: a copy of the files while they are in use, all of which is on stable storage.
func killedAgent(t *testing.T, s *shell) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "db")
	db, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{ID: runID, Agent: "planner"})
	require.NoError(t, err)
	for _, text := range []string{"search", "found"} {
		_, err = run.Update(t.Context(), func(tx *inmem.Tx) error {
			if _, err := tx.Events().Append(t.Context(), "step", inmem.String(text)); err != nil {
				return err
			}
			_, err := tx.KV().Put(t.Context(), "last step", inmem.String(text))
			return err
		})
		require.NoError(t, err)
	}
	_, err = run.Traces().Start(t.Context(), inmem.Span{
		ID: "book", Type: inmem.SpanToolCall, Name: "book_flight"})
	require.NoError(t, err)
	require.NoError(t, db.Flush(t.Context()))
	require.NoError(t, os.CopyFS(filepath.Join(s.dir, "agent-db"), os.DirFS(dir)))
	require.NoError(t, db.Close())
}
