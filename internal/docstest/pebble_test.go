package docstest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

const inspecting = "docs/inspecting.md"

// runID is the run of the database that docs/inspecting.md shows.
const runID = "0190163d-8694-739b-aea5-966c26f8ad91"

// The stock Pebble tool, at the pinned version, opens and prints a database of ours: every command
// of docs/inspecting.md does what the page says, and the tool leaves the directory as it was.
func TestStockPebbleTool(t *testing.T) {
	tool := buildTool(t)
	words := makeDatabase(t)
	before := contents(t, words["DIR"])
	ran := map[string]bool{}
	all, _ := blocks(readPage(t, inspecting))
	for _, b := range ofKind(all, "console") {
		for _, c := range conversations(b) {
			args := strings.Fields(replaceWords(c.command, words))
			require.NotEmpty(t, args, "%s:%d", inspecting, c.line)
			out := execute(t, tool, args)
			if !matches(replaceWords(c.output, words), out) {
				t.Errorf("%s:%d: $ %s\nprints\n%s\nand not\n%s",
					inspecting, c.line, c.command, out, c.output)
			}
			if len(args) > 2 {
				ran[args[1]+" "+args[2]], ran[args[1]] = true, true
			}
		}
	}
	for _, kind := range []string{
		"db scan", "db properties", "db lsm", "db get", "db check", "find", "wal dump",
		"sstable scan",
	} {
		require.True(t, ran[kind], "%s shows no %s", inspecting, kind)
	}
	require.Equal(t, before, contents(t, words["DIR"]), "the tool has changed the directory")
}

// The page, the library and the tools mean the same version of Pebble.
func TestOneVersionOfPebble(t *testing.T) {
	version := regexp.MustCompile(`github\.com/cockroachdb/pebble/v2 (v\S+)`)
	pinned := version.FindStringSubmatch(readPage(t, "go.mod"))
	require.NotNil(t, pinned)
	require.Equal(t, pinned, version.FindStringSubmatch(readPage(t, "internal/tools/go.mod")))
	named := regexp.MustCompile(`pebble@(v[\w.-]+)`)
	for _, page := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(readPage(t, page), -1) {
			require.Equal(t, pinned[1], m[1], page)
		}
	}
}

// buildTool builds the Pebble tool at the version that internal/tools pins.
func buildTool(t *testing.T) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "pebble")
	if runtime.GOOS == "windows" {
		tool += ".exe"
	}
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = filepath.Join(root, "internal", "tools")
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("build", "-o", tool, "github.com/cockroachdb/pebble/v2/cmd/pebble")
	if err != nil {
		if download, failed := run("mod", "download"); failed != nil {
			t.Skipf("the Pebble tool is neither in the module cache nor can it be downloaded: %s",
				download)
		}
		t.Fatalf("the Pebble tool does not build: %s", out)
	}
	return tool
}

// makeDatabase writes the database of the page, and returns what its placeholders stand for. LOG
// is the log that a process leaves which is killed before it closes the database.
func makeDatabase(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "db")
	db, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	run, err := db.BeginRun(t.Context(), inmem.RunOptions{ID: runID, Agent: "planner"})
	require.NoError(t, err)
	for _, goal := range []string{"book a flight", "book a train"} {
		_, err = run.KV().Put(t.Context(), "goal", inmem.String(goal))
		require.NoError(t, err)
	}
	_, err = run.KV().PutWithTTL(t.Context(), "cache/a", inmem.Int(1), time.Hour)
	require.NoError(t, err)
	require.NoError(t, db.Flush(t.Context()))
	log := filepath.Join(t.TempDir(), "000002.log")
	data, err := os.ReadFile(newest(t, dir, "*.log"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(log, data, 0o644))
	require.NoError(t, db.Close())
	return map[string]string{
		"DIR": dir, "RUN": runID, "TABLE": newest(t, dir, "*.sst"), "LOG": log,
	}
}

// newest is the file with the greatest number among those that match.
func newest(t *testing.T, dir, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	return files[len(files)-1] // Glob sorts, and the numbers have a fixed width
}

// contents are all files of a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(data)
		return err
	})
	require.NoError(t, err)
	return all
}

// conversation is a command and what it prints.
type conversation struct {
	line            int
	command, output string
}

func conversations(b block) (all []conversation) {
	for i, line := range strings.SplitAfter(b.text, "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, conversation{line: b.line + i, command: command})
		} else if len(all) > 0 {
			all[len(all)-1].output += line
		}
	}
	return all
}

// replaceWords puts the values of the placeholders in.
func replaceWords(text string, words map[string]string) string {
	return regexp.MustCompile(`\b[A-Z]+\b`).ReplaceAllStringFunc(text, func(word string) string {
		if value, ok := words[word]; ok {
			return value
		}
		return word
	})
}

// execute runs a command of the page and returns what it prints to its standard output.
func execute(t *testing.T, tool string, args []string) string {
	t.Helper()
	switch args[0] {
	case "cat":
		data, err := os.ReadFile(args[1])
		require.NoError(t, err)
		return string(data)
	case "pebble":
	default:
		t.Fatalf("%s: no command of this page: %s", inspecting, args[0])
	}
	cmd := exec.CommandContext(t.Context(), tool, args[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%v: %s", args, &stderr)
	return string(out)
}

// matches compares an output with what the page says. In a line "…" stands for anything, also for
// blanks around it; a line of its own for any number of lines.
func matches(want, got string) bool {
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for line := range strings.Lines(want) {
		line = strings.TrimRight(line, " \n")
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := regexp.MustCompile(` *… *`).Split(line, -1)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern.WriteString(strings.Join(parts, `.*`) + ` *\n`)
	}
	pattern.WriteString(`\s*\z`)
	return regexp.MustCompile(pattern.String()).MatchString(got)
}

// The comparison can fail.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		want, got string
		match     bool
	}{
		{"a\n", "a\n", true},
		{"a\n", "b\n", false},
		{"a […]\n", "a [00]\n", true},
		{"a …\n", "b 1\n", false},
		{"…\nb\n", "a\na\nb\n", true},
		{"…\nb\n", "a\nb\nc\n", false},
		{"a\n…\n", "a\nb\nc\n", true},
		{"a\nb\n", "a\nx\nb\n", false},
		{"a.b\n", "axb\n", false},
	} {
		require.Equal(t, c.match, matches(c.want, c.got), "%q against %q", c.want, c.got)
	}
}
