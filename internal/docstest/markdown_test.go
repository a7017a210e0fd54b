package docstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// root is the root of the repository, seen from this package.
const root = "../.."

// block is one fenced block of a document.
type block struct {
	line int    // of its first line of content
	kind string // the word behind the fence
	text string
}

// readPage returns a document, by its path from the root.
func readPage(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	require.NoError(t, err)
	return strings.ReplaceAll(string(data), "\r\n", "\n")
}

// blocks returns the fenced blocks of a document, in order, and the document without them.
func blocks(text string) (all []block, prose string) {
	var rest strings.Builder
	var open *block
	for i, line := range strings.Split(text, "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 2, kind: strings.TrimSpace(kind)}
		case fence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		default:
			rest.WriteString(line + "\n")
		}
	}
	return all, rest.String()
}

// ofKind keeps the blocks of one kind.
func ofKind(all []block, kind string) (found []block) {
	for _, b := range all {
		if b.kind == kind {
			found = append(found, b)
		}
	}
	return found
}

// pages lists all documents of the repository, as paths from its root.
func pages(t *testing.T) (all []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if e.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			all = append(all, path)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(all), 6, "is this the repository?")
	return all
}

// link is the target of a link in a document: [text](target).
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every relative link leads to a file, and to a heading if it names one.
func TestLinks(t *testing.T) {
	seen := 0
	for _, page := range pages(t) {
		_, prose := blocks(readPage(t, page))
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			seen++
			target, anchor, _ := strings.Cut(m[1], "#")
			file := page
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(page), target))
			}
			if !fileExists(file) {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if anchor != "" && !anchors(readPage(t, file))[anchor] {
				t.Errorf("%s: %s: %s has no such heading", page, m[1], file)
			}
		}
	}
	require.Greater(t, seen, 20)
}

func fileExists(path string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(path)))
	return err == nil
}

// anchors are the names that the headings of a document get on the web: lower case, blanks become
// dashes, other punctuation goes.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	_, prose := blocks(text)
	for line := range strings.Lines(prose) {
		heading := strings.TrimLeft(line, "#")
		if heading == line {
			continue
		}
		names[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(heading))] = true
	}
	return names
}

// A test, benchmark or fuzz target that a document names in code font exists.
func TestNamedTestsExist(t *testing.T) {
	exists := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, path))
		for _, m := range declared.FindAllSubmatch(data, -1) {
			exists[string(m[1])] = true
		}
		return err
	})
	require.NoError(t, err)
	named := regexp.MustCompile("`((?:Test|Benchmark|Fuzz)[A-Z]\\w+)(?:/[^`]*)?`")
	for _, page := range pages(t) {
		if page == "CONTRIBUTING.md" {
			continue // shows how a test is to be named
		}
		for _, m := range named.FindAllStringSubmatch(readPage(t, page), -1) {
			if !exists[m[1]] {
				t.Errorf("%s names %s: there is no such test", page, m[1])
			}
		}
	}
}

// A path in code font that begins like one of the repository exists.
func TestNamedFilesExist(t *testing.T) {
	named := regexp.MustCompile("`(?:\\./)?((?:pkg|internal|cmd|docs|examples)/[\\w./-]+)`")
	for _, page := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(readPage(t, page), -1) {
			if path := strings.TrimSuffix(m[1], "/..."); !fileExists(path) {
				t.Errorf("%s names %s: there is no such file", page, path)
			}
		}
	}
}
