package lint

import (
	"go/ast"
	"strconv"
	"strings"
)

// below lists the folders under pkg/db, which never ask the machine for the time: a test, a replay
// and the simulator must be able to say what time it is.
var below = []string{
	"pkg/codec", "pkg/txn", "pkg/primitives", "pkg/vector",
	"internal/memtable", "internal/backend", "internal/embedded", "internal/vecindex",
	"internal/diff", "internal/bundle",
}

// clockFile is the one file that may hold the real clock.
const clockFile = "internal/embedded/clock.go"

// bans maps package path and name to what to do instead. A "*" bans the whole package.
var bans = map[string]string{
	"log *":          "return an error, or report to the slog.Logger of the options",
	"fmt Print":      "return the text, or take an io.Writer",
	"fmt Printf":     "return the text, or take an io.Writer",
	"fmt Println":    "return the text, or take an io.Writer",
	"os Exit":        "return an error: the process belongs to the caller",
	"os Stdout":      "take an io.Writer",
	"os Stderr":      "take an io.Writer, or report to the slog.Logger of the options",
	"syscall Exit":   "return an error: the process belongs to the caller",
	"runtime Goexit": "return",
	"context TODO":   "take a context from the caller",
}

// builtinBans are the builtins that library code leaves alone.
var builtinBans = map[string]string{
	"panic":   "return an error, or use internal/invariants for what cannot happen",
	"print":   "take an io.Writer",
	"println": "take an io.Writer",
}

func checkClock(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.test || f.path == clockFile || !belowTheDoor(f) {
			continue
		}
		eachUse(f, func(n ast.Node, pkg, name string) {
			if pkg == "time" && (name == "Now" || name == "Since" || name == "Until") {
				found = append(found, f.at(n, "time.%s: use the injected clock", name))
			}
		})
	}
	return found
}

func belowTheDoor(f *file) bool {
	for _, folder := range below {
		if f.within(folder) {
			return true
		}
	}
	return false
}

func checkCalls(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if !f.inLibrary() {
			continue
		}
		eachUse(f, func(n ast.Node, pkg, name string) {
			instead, banned := bans[pkg+" "+name]
			if !banned {
				instead, banned = bans[pkg+" *"]
			}
			if banned {
				found = append(found, f.at(n, "%s.%s: %s", pkg, name, instead))
			}
		})
	}
	return found
}

// checkPanic leaves out the package whose one purpose it is to panic.
func checkPanic(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if !f.inLibrary() || f.within("internal/invariants") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			// A function of the package that bears the name of a builtin is resolved (Obj != nil).
			if id, ok := call.Fun.(*ast.Ident); ok && id.Obj == nil && builtinBans[id.Name] != "" {
				found = append(found, f.at(call, "%s: %s", id.Name, builtinBans[id.Name]))
			}
			return true
		})
	}
	return found
}

// eachUse calls visit for every pkg.Name in a file, called or not, with the package's import path.
func eachUse(f *file, visit func(n ast.Node, pkg, name string)) {
	imports := map[string]string{}
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		name := p[strings.LastIndex(p, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = p
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		id, ok := s.X.(*ast.Ident)
		if !ok || id.Obj != nil { // a local name that hides the package
			return true
		}
		if p, ok := imports[id.Name]; ok {
			visit(s, p, s.Sel.Name)
		}
		return true
	})
}
