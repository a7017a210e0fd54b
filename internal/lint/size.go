package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of the house, in lines unless said otherwise.
const (
	maxFile     = 600
	maxTestFile = 1000
	maxMedian   = 250
	maxFunction = 70
	maxWidth    = 100 // characters, a tab is one

	maxFiles    = 12 // of one package, tests not counted
	maxExported = 40 // top-level names of one package: types, functions, variables, constants
)

// Packages with limits of their own, and why.
var (
	filesOf = map[string]int{
		"pkg/codec":               26, // one file per kind of record
		"internal/embedded":       81, // the engine: one file per path, guarded danger, and look at it
		"internal/vecindex":       20, // one file per structure and per path of a search
		"internal/memtable":       22, // one file per structure and per path through them
		"pkg/txn":                 28, // one file per part of a transaction
		"pkg/db":                  60, // the front door: one file per noun
		"pkg/db/simtest":          26, // one file per noun that is driven, and per part of a simulation
		"cmd/inmem/internal/cli":  60, // one file per command
		"cmd/inmem-bench":         20, // one file per workload
		"pkg/vector":              28, // filters, and the index: one file per structure and path
		"pkg/transcript":          20, // one file per format, step of an import, and question
		"pkg/primitives/runindex": 14, // records, queries, forks, care: one file per idea

		"cmd/inmem-bench/internal/report": 16, // one file per form and per kind of picture
		"cmd/inmem-bench/peers":           18, // one file per peer
	}
	exportedOf = map[string]int{
		"pkg/db":           240, // the front door has the words of all primitives: one import
		"pkg/codec":        210, // the alphabet of the disk: a maker and a reader per record
		"pkg/transcript":   60,  // the words of formats, imports, and of four answers
		"pkg/vector":       70,  // kernels, metrics, filters and the index are one vocabulary
		"internal/backend": 110, // the whole seam, errors and what an inspection says included

		"pkg/primitives/runindex": 45, // with what forks and imports are made of
		"pkg/txn":                 42, // with what history is told in
	}
)

func limit(table map[string]int, dir string, otherwise int) int {
	if n, ok := table[dir]; ok {
		return n
	}
	return otherwise
}

func checkFileLength(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		most := maxFile
		if f.test {
			most = maxTestFile
		}
		if n := len(f.lines); n > most && !f.generated() {
			found = append(found, f.whole(fmt.Sprintf("%d lines, at most %d", n, most)))
		}
	}
	return found
}

// median is the length of the middle file among those that are not tests, 0 without files.
func median(t *tree) int {
	var lengths []int
	for _, f := range t.files {
		if !f.test && !f.generated() {
			lengths = append(lengths, len(f.lines))
		}
	}
	if len(lengths) == 0 {
		return 0
	}
	slices.Sort(lengths)
	return lengths[len(lengths)/2]
}

func checkMedianLength(t *tree) []finding {
	if n := median(t); n > maxMedian {
		text := fmt.Sprintf("the median file has %d lines, at most %d", n, maxMedian)
		return []finding{{text: text}}
	}
	return nil
}

func checkFunctionLength(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || f.generated() {
				continue
			}
			if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunction {
				found = append(found, f.at(fn, "%s has %d lines, at most %d", fn.Name, n, maxFunction))
			}
		}
	}
	return found
}

// checkLineWidth leaves out what cannot be broken: links, imports, directives, tables in comments,
// and raw strings.
func checkLineWidth(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.generated() {
			continue
		}
		free := unbreakable(f)
		for i, line := range f.lines {
			width := utf8.RuneCountInString(line)
			if width <= maxWidth || free[i+1] || strings.Contains(line, "://") {
				continue
			}
			trimmed := strings.TrimSpace(line)
			if strings.HasPrefix(trimmed, "//go:") ||
				strings.HasPrefix(trimmed, "//") && strings.Count(trimmed, "|") > 1 {
				continue
			}
			found = append(found, finding{f.path, i + 1,
				fmt.Sprintf("%d characters wide, at most %d", width, maxWidth)})
		}
	}
	return found
}

// unbreakable marks the lines of imports and of raw strings.
func unbreakable(f *file) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if spec, isImport := n.(*ast.ImportSpec); isImport {
			lit, ok = spec.Path, true
		} else if ok {
			ok = lit.Kind == token.STRING && strings.HasPrefix(lit.Value, "`")
		}
		if ok {
			for l := f.line(lit.Pos()); l <= f.line(lit.End()); l++ {
				lines[l] = true
			}
		}
		return true
	})
	return lines
}

func checkPackageFiles(t *tree) []finding {
	var found []finding
	dirs, files := t.packages()
	for _, dir := range dirs {
		if n, most := len(files[dir]), limit(filesOf, dir, maxFiles); n > most {
			text := fmt.Sprintf("package %s has %d files, at most %d", dir, n, most)
			found = append(found, finding{text: text})
		}
	}
	return found
}

func checkExportedNames(t *tree) []finding {
	var found []finding
	dirs, files := t.packages()
	for _, dir := range dirs {
		names := map[string]bool{} // a set: builds for several systems repeat names
		for _, f := range files[dir] {
			if f.inLibrary() {
				exportedNames(f, names)
			}
		}
		if n, most := len(names), limit(exportedOf, dir, maxExported); n > most {
			text := fmt.Sprintf("package %s exports %d names, at most %d", dir, n, most)
			found = append(found, finding{text: text})
		}
	}
	return found
}

func exportedNames(f *file, names map[string]bool) {
	add := func(id *ast.Ident) {
		if id.IsExported() {
			names[id.Name] = true
		}
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					add(s.Name)
				case *ast.ValueSpec:
					for _, id := range s.Names {
						add(id)
					}
				}
			}
		}
	}
}
