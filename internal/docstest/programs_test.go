package docstest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program in the README, pasted into a new module with a replace, runs and prints what the
// README says.
func TestReadmeExample(t *testing.T) {
	all, _ := blocks(readPage(t, "README.md"))
	programs := ofKind(all, "go")
	require.Len(t, programs, 1)
	require.Contains(t, programs[0].text, "package main")
	written := regexp.MustCompile(`(?m)^.*\S.*$`).FindAllString(programs[0].text, -1)
	require.LessOrEqual(t, len(written), 20, "lines that are not blank")
	prints := ofKind(all, "text")
	require.NotEmpty(t, prints)
	require.Equal(t, prints[0].text, runProgram(t, programs[0].text))
}

// The blocks of the page are one program in pieces, and its output.
func TestLibraryPage(t *testing.T) {
	all, _ := blocks(readPage(t, "docs/library.md"))
	var program, prints strings.Builder
	for _, b := range ofKind(all, "go") {
		program.WriteString(b.text + "\n")
	}
	for _, b := range ofKind(all, "text") {
		prints.WriteString(b.text)
	}
	require.Equal(t, prints.String(), runProgram(t, program.String()))
}

// Every other block that is a complete program compiles.
func TestProgramsCompile(t *testing.T) {
	for _, page := range pages(t) {
		if page == "README.md" || page == "docs/library.md" {
			continue // they run
		}
		all, _ := blocks(readPage(t, page))
		for _, b := range ofKind(all, "go") {
			if strings.HasPrefix(b.text, "package main") {
				t.Logf("%s:%d", page, b.line)
				command(t, newModule(t, b.text), "build", "-o", os.DevNull, ".")
			}
		}
	}
}

// Blocks are formatted as gofmt would.
func TestProgramsAreFormatted(t *testing.T) {
	for _, page := range []string{"README.md", "docs/getting-started.md", "docs/library.md"} {
		all, _ := blocks(readPage(t, page))
		for _, b := range ofKind(all, "go") {
			cmd := exec.Command(filepath.Join(goRoot(t), "bin", "gofmt"))
			text := b.text
			if !strings.HasPrefix(text, "package ") {
				text = "package main\n\n" + text
			}
			cmd.Stdin = strings.NewReader(text)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s:%d: %s", page, b.line, out)
			require.Equal(t, text, string(out), "%s:%d", page, b.line)
		}
	}
}

func goRoot(t *testing.T) string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// runProgram runs a program in a module of its own and returns what it prints.
func runProgram(t *testing.T, text string) string {
	t.Helper()
	return command(t, newModule(t, text), "run", ".")
}

// newModule is a folder with a program in a module of its own, which finds this repository by a
// replace. The versions of all other modules are those of this one, so that nothing is downloaded.
func newModule(t *testing.T, program string) string {
	t.Helper()
	dir, abs := t.TempDir(), absolute(t, root)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	own := regexp.MustCompile(`(?m)^module .*$`)
	require.Regexp(t, own, string(mod))
	text := own.ReplaceAllString(string(mod), "module example") +
		"\nrequire github.com/inmem-db/inmem v0.0.0\n" +
		"\nreplace github.com/inmem-db/inmem => " + strconv.Quote(abs) + "\n"
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for name, data := range map[string][]byte{
		"go.mod": []byte(text), "go.sum": sum, "main.go": []byte(program),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	return dir
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	require.NoError(t, err)
	return abs
}

// command runs the go command in a folder, outside of any workspace, and returns what it prints.
func command(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go %s: %s%s", strings.Join(args, " "), out, &stderr)
	return string(out)
}
