package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// Every text is found exactly once, and what comes of it is Go. A text that is gone means that the
// code has changed: find the place that does now what the mutation switches off.
func TestMutationsApply(t *testing.T) {
	names := map[string]bool{}
	for i := range mutations {
		m := &mutations[i]
		if names[m.name] {
			t.Errorf("%s: the name is there twice", m.name)
		}
		names[m.name] = true
		source, err := m.mutated(root)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, source, 0); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		for _, e := range m.edits {
			if strings.Contains(strings.TrimSpace(e.from), "\n") {
				t.Errorf("%s: a text of more than one line: %s", m.name, e.from)
			}
		}
	}
}

// Every alternative of a suite is the beginning of the name of a test.
func TestSuitesExist(t *testing.T) {
	for _, m := range mutations {
		if len(m.suites) == 0 {
			t.Errorf("%s: no suite is to notice", m.name)
		}
		for _, s := range m.suites {
			tests := testsOf(t, filepath.Join(root, s.pkg))
			top, _, _ := strings.Cut(s.run, "/")
			for _, one := range strings.Split(top, "|") {
				if !regexp.MustCompile(`(?m)^func ` + one).MatchString(tests) {
					t.Errorf("%s: no test of %s is called %s", m.name, s.pkg, one)
				}
			}
		}
	}
}

// testsOf is the source of all tests of a package.
func testsOf(t *testing.T, dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no tests (%v)", dir, err)
	}
	var all strings.Builder
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(source)
	}
	return all.String()
}

func TestApply(t *testing.T) {
	m := mutation{file: "f", edits: []edit{{"a", "b"}}}
	if got, err := m.apply("xay"); got != "xby" || err != nil {
		t.Error(got, err)
	}
	for _, source := range []string{"xy", "aa"} {
		if _, err := m.apply(source); err == nil {
			t.Errorf("%q: no error", source)
		}
	}
}

// What the go command tells about a failure, a success, a bad end, and a build that failed.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		lines, first string
		ran          int
	}{
		{`{"Action":"run","Test":"T"} {"Action":"run","Test":"T/a"} {"Action":"fail","Test":"T/a"}
			{"Action":"fail","Test":"T"} {"Action":"fail"}`, "T/a", 2},
		{`{"Action":"run","Test":"T"} {"Action":"pass","Test":"T"} {"Action":"pass"}`, "", 1},
		{`{"Action":"run","Test":"T"} {"Action":"output","Output":"panic"} {"Action":"fail"}`, "T", 1},
		{`{"Action":"build-output","Output":"x"} {"Action":"build-fail"} {"Action":"fail"}`, "", 0},
	} {
		r, ran, err := read(bytes.NewBufferString(c.lines))
		if err != nil || r.first != c.first || ran != c.ran {
			t.Errorf("%s: found %q, %d, %v", c.lines, r.first, ran, err)
		}
	}
	if _, _, err := read(bytes.NewBufferString("no JSON")); err == nil {
		t.Error("no error")
	}
}
