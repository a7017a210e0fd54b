package lint

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// decoder is the name of an exported function that makes something of bytes or text. (What is not
// exported is called by one of these, or has a target because somebody thought of it.)
var decoder = regexp.MustCompile(`^(Decode|Parse|Unmarshal)([A-Z]|$)`)

// fuzzed are the folders whose decoders read what comes from disk, from a file or from a user.
var fuzzed = []string{"pkg", "internal/embedded", "internal/bundle", "internal/vecindex",
	"cmd/inmem"}

// checkFuzz demands a fuzz target for every decoder that takes bytes or text: one
// that has its name, or that calls it.
func checkFuzz(t *tree) []finding {
	covered := map[string]map[string]bool{} // folder: names
	for _, f := range t.files {
		if !strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		names := covered[f.dir()]
		if names == nil {
			names = map[string]bool{}
			covered[f.dir()] = names
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				names[strings.ToLower(strings.TrimPrefix(fn.Name.Name, "Fuzz"))] = true
				ast.Inspect(fn, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok {
						names[strings.ToLower(id.Name)] = true
					}
					return true
				})
			}
		}
	}
	var found []finding
	for _, f := range t.files {
		if f.test || f.nested || !slices.ContainsFunc(fuzzed, f.within) {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && decoder.MatchString(fn.Name.Name) && takesBytes(fn) &&
				!covered[f.dir()][strings.ToLower(fn.Name.Name)] {
				found = append(found, f.at(fn, "no fuzz target of %s calls %s", f.dir(), fn.Name.Name))
			}
		}
	}
	return found
}

// takesBytes tells whether a parameter is a []byte or a string.
func takesBytes(fn *ast.FuncDecl) bool {
	return slices.ContainsFunc(fn.Type.Params.List, func(p *ast.Field) bool {
		kind := p.Type
		if list, ok := kind.(*ast.ArrayType); ok && list.Len == nil {
			kind = list.Elt
		}
		id, ok := kind.(*ast.Ident)
		return ok && (id.Name == "byte" && kind != p.Type || id.Name == "string" && kind == p.Type)
	})
}
