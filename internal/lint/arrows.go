package lint

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// room is one row of the table of arrows: a folder (a "*" stands for any one name) with all below
// it, and what its code may import besides the standard library, its own folder and what everyone
// may use.
//
// An entry names one package; with "/..." at its end it covers the packages below too.
type room struct {
	folder  string
	uses    []string // packages of this repository, relative to the root
	modules []string // packages of other modules

	testUses    []string            // additionally in tests
	testModules []string            // additionally in tests
	onlyIn      map[string][]string // additionally in the one named file, modules too
}

// The names of the table.
const (
	anything = "..."
	pebble   = "github.com/cockroachdb/pebble/v2/..."
	uuid     = "github.com/google/uuid"
	cobra    = "github.com/spf13/cobra/..."
	progress = "github.com/schollz/progressbar/v3"
	sys      = "golang.org/x/sys/..."
)

// Everyone may use the bytes and the assertions; every test the kits and the test libraries.
var (
	forAll         = []string{"pkg/codec", "internal/invariants"}
	forTestModules = []string{
		"github.com/stretchr/testify/...", "pgregory.net/rapid", "go.uber.org/goleak",
		"github.com/cockroachdb/datadriven", "github.com/anishathalye/porcupine",
	}
)

// house is the one place that says who may import whom, from the ground up:
//
//	cmd, examples -> pkg/db -> pkg/primitives/* -> pkg/txn -> internal/backend
//	                                 internal/memtable <- internal/embedded -^
//
// The first row that matches a folder counts.
var house = []room{
	{folder: "internal/invariants"},
	{folder: "internal/alloctest"},
	{folder: "internal/terminal"},
	{folder: "internal/docstest", testUses: []string{anything}, testModules: []string{pebble}},
	{folder: "internal/lint"},
	{folder: "internal/tools", uses: []string{anything}, modules: []string{anything}},

	{folder: "pkg/codec", modules: []string{"github.com/fxamacker/cbor/v2"},
		testModules: []string{pebble}},
	{folder: "pkg/vector", modules: []string{sys}},
	{folder: "internal/memtable"},

	// The seam. Below it: the conformance suite and the dumb twin that is the oracle of tests.
	{folder: "internal/backend/*", uses: []string{"internal/backend"}},
	{folder: "internal/backend", testUses: []string{"internal/backend/..."}},

	// The default backend: the only importer of Pebble.
	{folder: "internal/embedded", uses: []string{"internal/backend", "internal/memtable"},
		modules: []string{pebble, sys, uuid}, testUses: []string{"internal/backend/..."}},
	{folder: "internal/vecindex", uses: []string{"pkg/vector", "internal/backend"},
		testUses:    []string{"internal/backend/...", "internal/embedded/..."},
		testModules: []string{pebble}},

	{folder: "pkg/txn", uses: []string{"internal/backend"},
		testUses: []string{"internal/backend/...", "internal/embedded"}},
	{folder: "pkg/primitives/vectors", uses: []string{"pkg/txn", "internal/vecindex", "pkg/vector"},
		testUses: []string{"internal/backend/...", "internal/embedded"}},
	{folder: "pkg/primitives/*", uses: []string{"pkg/txn", "internal/terminal"},
		modules:  []string{uuid},
		testUses: []string{"internal/backend/...", "internal/embedded"}},

	{folder: "internal/diff", uses: []string{"internal/terminal"}},
	{folder: "internal/isolation"},
	{folder: "internal/assembly", uses: []string{"internal/backend"}},
	{folder: "internal/bundle", modules: []string{"github.com/klauspost/compress/zstd"}},

	// The simulator plays on the engine itself, beside the dumb twin, on a disk that fails.
	{folder: "pkg/db/simtest", uses: []string{"pkg/...", "internal/backend/...",
		"internal/embedded/...", "internal/assembly"}, modules: []string{pebble}},

	// The front door assembles everything; which engine it stands on is said in one file.
	{folder: "pkg/db", uses: []string{"pkg/primitives/...", "pkg/txn", "internal/backend",
		"internal/diff", "internal/bundle", "pkg/vector", "internal/vecindex",
		"internal/assembly"},
		modules:     []string{uuid},
		onlyIn:      map[string][]string{"open.go": {"internal/embedded"}},
		testUses:    []string{"internal/backend/...", "internal/embedded", "internal/isolation"},
		testModules: []string{pebble}},
	{folder: "pkg/transcript", uses: []string{"pkg/db"}},

	// Of the commands only inmem has flags by a library; one file of it is Pebble's own tool.
	{folder: "cmd/internal", uses: []string{"internal/terminal"}},
	{folder: "cmd/inmem", uses: []string{"pkg/...", "cmd/internal/...", "internal/terminal"},
		modules:     []string{cobra, "github.com/spf13/pflag", progress, sys},
		onlyIn:      map[string][]string{"tool.go": {pebble}},
		testUses:    []string{anything},
		testModules: []string{pebble}},
	{folder: "cmd/*", uses: []string{"pkg/...", "cmd/internal/...", "internal/terminal"},
		testUses: []string{anything}, testModules: []string{pebble}},
	{folder: "examples", uses: []string{"pkg/..."}},
	{folder: "docs", testUses: []string{anything}, testModules: []string{pebble}},
}

// roomOf finds the row of a folder and the folder that its pattern stands for there.
func roomOf(dir string) (r room, folder string, ok bool) {
	for _, r := range house {
		depth := strings.Count(r.folder, "/") + 1
		names := strings.Split(dir, "/")
		if len(names) < depth {
			continue
		}
		folder := strings.Join(names[:depth], "/")
		if match, _ := path.Match(r.folder, folder); match {
			return r, folder, true
		}
	}
	return room{}, "", false
}

func checkArrows(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		r, folder, ok := roomOf(f.dir())
		if !ok {
			text := fmt.Sprintf("folder %s has no room in the house: add a row to arrows.go", f.dir())
			found = append(found, f.whole(text))
			continue
		}
		for _, spec := range f.ast.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			if !mayImport(f, r, folder, target) {
				found = append(found, f.at(spec, "%s must not import %s%s", folder, target, where(f)))
			}
		}
	}
	return found
}

func where(f *file) string {
	if f.test {
		return " (even in tests)"
	}
	return ""
}

func mayImport(f *file, r room, folder, target string) bool {
	if first, _, _ := strings.Cut(target, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	local, own := strings.CutPrefix(target, module+"/")
	if !own {
		modules := slices.Concat(r.modules, r.onlyIn[f.base()])
		if f.test {
			modules = slices.Concat(modules, r.testModules, forTestModules)
		}
		return f.nested || listed(modules, target)
	}
	if under(local, folder) {
		// Down into its own folder, and between the packages there, unless a row of its own says
		// that the other one is for tests.
		_, other, _ := roomOf(local)
		if other == folder || f.test {
			return true
		}
	}
	if f.test && isTestKit(local) {
		return true
	}
	uses := slices.Concat(r.uses, r.onlyIn[f.base()])
	if folder != "internal/invariants" && folder != "internal/lint" {
		uses = append(uses, forAll...)
	}
	if f.test {
		uses = append(uses, r.testUses...)
	}
	return listed(uses, local)
}

// listed says whether one of the entries covers a package.
func listed(entries []string, target string) bool {
	return slices.ContainsFunc(entries, func(e string) bool {
		if e == anything {
			return true
		}
		if base, deep := strings.CutSuffix(e, "/..."); deep {
			return under(target, base)
		}
		return e == target
	})
}
