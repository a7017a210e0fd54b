package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// module is the path of the root module. A folder's import path is module + "/" + folder, also for
// the nested modules.
const module = "github.com/inmem-db/inmem"

// file is one parsed Go file.
type file struct {
	path   string // relative to the root, with slashes
	lines  []string
	fset   *token.FileSet
	ast    *ast.File
	test   bool // a _test.go file, or part of a test kit (a folder whose name ends in "test")
	nested bool // belongs to a nested module, whose dependencies are its own
	allows []*allow
}

// allow is one waiver: findings of rule between the lines from and to are dropped.
type allow struct {
	rule     string
	reason   string
	from, to int
	used     bool
}

// finding is one violation. Line 0 speaks of the file as a whole, an empty path of the tree.
type finding struct {
	path string
	line int
	text string
}

func (f finding) String() string {
	switch {
	case f.path == "":
		return f.text
	case f.line == 0:
		return fmt.Sprintf("%s: %s", f.path, f.text)
	}
	return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.text)
}

// tree is the source of the whole repository, in path order.
type tree struct {
	files []*file
}

func (f *file) dir() string               { return path.Dir(f.path) }
func (f *file) base() string              { return path.Base(f.path) }
func (f *file) line(p token.Pos) int      { return f.fset.Position(p).Line }
func (f *file) main() bool                { return f.ast.Name.Name == "main" }
func (f *file) inLibrary() bool           { return !f.test && !f.main() }
func (f *file) generated() bool           { return ast.IsGenerated(f.ast) }
func (f *file) within(dir string) bool    { return under(f.dir(), dir) }
func (f *file) whole(text string) finding { return finding{path: f.path, text: text} }

func under(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }
func isTestKit(dir string) bool     { return strings.HasSuffix(path.Base(dir), "test") }

// at makes a finding at a node.
func (f *file) at(n ast.Node, format string, args ...any) finding {
	return finding{path: f.path, line: f.line(n.Pos()), text: fmt.Sprintf(format, args...)}
}

// load parses every Go file below the root of fsys. Folders that the go command ignores (testdata,
// vendor, names with a leading dot or underscore) are not part of the house.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{}
	var nested []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != "." && ignored(name) {
				return fs.SkipDir
			}
			return nil
		}
		if name == "go.mod" && p != "go.mod" {
			nested = append(nested, path.Dir(p))
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		f, err := parse(p, src)
		if err != nil {
			return err
		}
		t.files = append(t.files, f)
		return nil
	})
	for _, f := range t.files {
		f.nested = slices.ContainsFunc(nested, f.within)
	}
	return t, err
}

func ignored(folder string) bool {
	return folder == "testdata" || folder == "vendor" || folder[0] == '.' || folder[0] == '_'
}

func parse(p string, src []byte) (*file, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, p, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	f := &file{path: p, fset: fset, ast: syntax}
	f.lines = strings.Split(strings.TrimSuffix(string(src), "\n"), "\n")
	f.test = strings.HasSuffix(p, "_test.go") || isTestKit(f.dir())
	f.allows = waivers(f)
	return f, nil
}

var allowPattern = regexp.MustCompile(`^// ?lint:allow\b *([a-z-]*) *(?:: *(.*))?$`)

// waivers collects the lint:allow comments. One that stands after code covers its own line; one in
// a comment of its own covers that comment and the line below it.
func waivers(f *file) []*allow {
	var found []*allow
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			m := allowPattern.FindStringSubmatch(c.Text)
			if m == nil {
				continue
			}
			a := &allow{rule: m[1], reason: m[2], from: f.line(c.Pos()), to: f.line(c.Pos())}
			before := f.lines[a.from-1][:f.fset.Position(c.Pos()).Column-1]
			if strings.TrimSpace(before) == "" {
				a.to = f.line(group.End()) + 1
			}
			found = append(found, a)
		}
	}
	return found
}

// packages groups the files by folder, in path order, tests left out.
func (t *tree) packages() (dirs []string, files map[string][]*file) {
	files = map[string][]*file{}
	for _, f := range t.files {
		if f.test {
			continue
		}
		if files[f.dir()] == nil {
			dirs = append(dirs, f.dir())
		}
		files[f.dir()] = append(files[f.dir()], f)
	}
	slices.Sort(dirs)
	return dirs, files
}
