package lint

import (
	"go/ast"
	"slices"
	"strings"
)

// vague are package names that say nothing about what is inside.
var vague = []string{
	"util", "utils", "common", "helper", "helpers", "misc", "shared", "y",
}

func checkPackageName(t *tree) []finding {
	var found []finding
	dirs, files := t.packages()
	for _, dir := range dirs {
		first := files[dir][0]
		folder := dir[strings.LastIndex(dir, "/")+1:]
		for _, name := range []string{first.ast.Name.Name, folder} {
			if slices.Contains(vague, name) {
				found = append(found, first.at(first.ast.Name, "package %s is called %s", dir, name))
				break
			}
		}
	}
	return found
}

// signature is one exported function or method of the public packages.
type signature struct {
	name string
	node ast.Node
	fn   *ast.FuncType
}

// signatures lists the exported functions, methods and interface methods of a file in pkg.
func signatures(f *file) []signature {
	if !f.within("pkg") || !f.inLibrary() {
		return nil
	}
	var list []signature
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) {
				list = append(list, signature{d.Name.Name, d, d.Type})
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				list = append(list, interfaceMethods(s)...)
			}
		}
	}
	return list
}

func interfaceMethods(s ast.Spec) []signature {
	ts, ok := s.(*ast.TypeSpec)
	if !ok || !ts.Name.IsExported() {
		return nil
	}
	it, ok := ts.Type.(*ast.InterfaceType)
	if !ok {
		return nil
	}
	var list []signature
	for _, m := range it.Methods.List {
		if fn, ok := m.Type.(*ast.FuncType); ok && m.Names[0].IsExported() {
			list = append(list, signature{m.Names[0].Name, m, fn})
		}
	}
	return list
}

// checkBoolParam lets functions pass whose name says that the boolean is the value, not a choice:
// Bool, AppendBool.
func checkBoolParam(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		for _, s := range signatures(f) {
			if strings.HasSuffix(s.name, "Bool") {
				continue
			}
			for _, p := range s.fn.Params.List {
				typ := p.Type
				if rest, ok := typ.(*ast.Ellipsis); ok {
					typ = rest.Elt
				}
				if id, ok := typ.(*ast.Ident); ok && id.Name == "bool" {
					found = append(found, f.at(s.node, "%s takes a bool", s.name))
				}
			}
		}
	}
	return found
}

func checkContextFirst(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		for _, s := range signatures(f) {
			for i, p := range s.fn.Params.List {
				sel, ok := p.Type.(*ast.SelectorExpr)
				if !ok || i == 0 {
					continue
				}
				if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "context" {
					found = append(found, f.at(s.node, "%s takes its context late", s.name))
				}
			}
		}
	}
	return found
}

// checkFunctionalOptions refuses exported function types called ...Option.
func checkFunctionalOptions(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if !f.inLibrary() {
			continue
		}
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				ts, ok := s.(*ast.TypeSpec)
				if !ok || !ts.Name.IsExported() || !strings.HasSuffix(ts.Name.Name, "Option") {
					continue
				}
				if _, ok := ts.Type.(*ast.FuncType); ok {
					found = append(found, f.at(ts, "%s is a functional option", ts.Name))
				}
			}
		}
	}
	return found
}
