package lint

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// grow plants a tree of files: name, text, name, text.
func grow(t *testing.T, files map[string]string) *tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	planted, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return planted
}

// TestEveryRuleCanFail: each bad plant must be complained about, each good one not, and no rule
// comes without a bad one.
func TestEveryRuleCanFail(t *testing.T) {
	known := map[string]bool{}
	for _, r := range rules() {
		known[r.name] = true
		t.Run(r.name, func(t *testing.T) {
			p := plants[r.name]
			if len(p.bad) == 0 || len(p.good) == 0 {
				t.Fatal("a rule needs source on which it fails and source on which it passes")
			}
			for i, files := range p.bad {
				if found := run(r, grow(t, files)); len(found) == 0 {
					t.Errorf("bad plant %d passed: %v", i, files)
				}
			}
			for i, files := range p.good {
				for _, f := range run(r, grow(t, files)) {
					t.Errorf("good plant %d: %s", i, f)
				}
			}
		})
	}
	for name := range plants {
		if !known[name] {
			t.Errorf("plants for an unknown rule: %s", name)
		}
	}
}

func TestFindingsNameThePlace(t *testing.T) {
	planted := grow(t, map[string]string{"pkg/txn/a.go": "package txn\n\nfunc f() {\n\tpanic(1)\n}\n"})
	found := checkPanic(planted)
	if len(found) != 1 || !strings.HasPrefix(found[0].String(), "pkg/txn/a.go:4: panic: ") {
		t.Errorf("found %v", found)
	}
}

func TestWaivers(t *testing.T) {
	const head = "package txn\n\n"
	cases := []struct {
		name, text string
		panics     int    // findings of the rule panic
		complaint  string // of badWaivers, "" for none
	}{
		{"on the line", "func f() {\n\tpanic(1) // lint:allow panic: a reason\n}\n", 0, ""},
		{"above", "func f() {\n\t// lint:allow panic: a reason\n\tpanic(1)\n}\n", 0, ""},
		{"too far above", "func f() {\n\t// lint:allow panic: a reason\n\n\tpanic(1)\n}\n", 1, "nothing"},
		{"other rule", "func f() {\n\tpanic(1) // lint:allow clock: a reason\n}\n", 1, "nothing"},
		{"no reason", "func f() {\n\tpanic(1) // lint:allow panic:\n}\n", 1, "no reason"},
		{"no rule", "func f() {\n\tpanic(1) // lint:allow: a reason\n}\n", 1, "names no rule"},
		{"unknown rule", "func f() {\n\tpanic(1) // lint:allow exit: a reason\n}\n", 1, "names no rule"},
		{"unused", "func f() {\n\tf() // lint:allow panic: a reason\n}\n", 0, "waives nothing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			planted := grow(t, map[string]string{"pkg/txn/a.go": head + c.text})
			var panics []finding
			for _, r := range rules() {
				if found := run(r, planted); r.name == "panic" {
					panics = found
				}
			}
			if len(panics) != c.panics {
				t.Errorf("found %v, want %d", panics, c.panics)
			}
			bad := badWaivers(planted)
			if (len(bad) > 0) != (c.complaint != "") ||
				len(bad) > 0 && !strings.Contains(bad[0].text, c.complaint) {
				t.Errorf("complaints %v, want %q", bad, c.complaint)
			}
		})
	}
}

// TestRooms: the table is read from the top, so no row may hide a later one, and each folder that
// a row names must have a row itself.
func TestRooms(t *testing.T) {
	for _, r := range house {
		dir := strings.ReplaceAll(r.folder, "*", "any")
		if found, _, ok := roomOf(dir); !ok || found.folder != r.folder {
			t.Errorf("row %s is hidden by row %s", r.folder, found.folder)
		}
		for _, use := range slices.Concat(r.uses, r.testUses) {
			use = strings.TrimSuffix(use, "/...")
			if use == anything || use == "pkg" {
				continue
			}
			if _, _, ok := roomOf(use); !ok && use != "pkg/primitives" {
				t.Errorf("row %s uses %s, which has no row", r.folder, use)
			}
		}
	}
}

// vfs stands for a package of Pebble.
const vfs = `package vfs
type FS interface { Open(name string) error }
func New() FS { return nil }
`

func TestForeignTypesAreSeen(t *testing.T) {
	const use = "package db\nimport \"github.com/cockroachdb/pebble/v2/vfs\"\n"
	cases := []struct {
		name, text string
		want       int
	}{
		{"field", "type Options struct { FS vfs.FS }", 1},
		{"hidden field", "type Options struct { fs vfs.FS }", 0},
		{"embedded", "type inner struct { FS vfs.FS }\ntype Options struct { inner }", 1},
		{"result", "func FS() ([]vfs.FS, error) { return nil, nil }", 1},
		{"parameter of a method", "type DB struct{}\nfunc (*DB) Use(f func(vfs.FS)) {}", 1},
		{"hidden method", "type DB struct{}\nfunc (*DB) use(vfs.FS) {}", 0},
		{"alias", "type FS = vfs.FS", 1},
		{"alias of another package's type", "type FS = map[string]chan vfs.FS", 1},
		{"definition", "type FS vfs.FS", 0}, // a new interface: nothing foreign is left in it
		{"inferred variable", "var Mem = vfs.New()", 1},
		{"hidden variable", "var mem = vfs.New()", 0},
		{"interface", "type Opener interface { FS() vfs.FS }", 1},
		{"type argument", "type Box[T any] struct { V T }\nvar B Box[vfs.FS]", 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fset := token.NewFileSet()
			inner := check(t, fset, foreign+"pebble/v2/vfs", vfs, nil)
			pkg := check(t, fset, module+"/pkg/db", use+c.text+"\n", inner)
			if got := foreignTypes(pkg); len(got) != c.want {
				t.Errorf("found %q, want %d", got, c.want)
			}
		})
	}
}

// importFunc makes an importer of a function.
type importFunc func(path string) (*types.Package, error)

func (f importFunc) Import(path string) (*types.Package, error) { return f(path) }

func check(t *testing.T, fset *token.FileSet, path, src string, dep *types.Package) *types.Package {
	t.Helper()
	f, err := parser.ParseFile(fset, path+".go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: importFunc(func(p string) (*types.Package, error) {
		if dep != nil && p == dep.Path() {
			return dep, nil
		}
		return importer.Default().Import(p)
	})}
	pkg, err := conf.Check(path, fset, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}
