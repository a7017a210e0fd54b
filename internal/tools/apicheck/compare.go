package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

// change is one difference of the API.
type change struct {
	pkg        string
	text       string
	compatible bool
}

// compare type-checks two descriptions of the API and lists their differences in a fixed order.
func compare(root string, old, now map[string]string) ([]change, error) {
	outside, err := loadOutside(root, old, now)
	if err != nil {
		return nil, err
	}
	before, err := checkAll(old, outside)
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	after, err := checkAll(now, outside)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, p := range slices.Sorted(maps.Keys(merge(old, now))) {
		changes = append(changes, compareOne(p, before[p], after[p])...)
	}
	return changes, nil
}

func compareOne(p string, before, after *types.Package) []change {
	switch {
	case before == nil && public(p):
		return []change{{p, "new package", true}}
	case after == nil && public(p):
		return []change{{p, "package removed", false}}
	case before == nil || after == nil:
		return nil // reached from a public package, where the change shows
	}
	var changes []change
	for _, c := range apidiff.Changes(before, after).Changes {
		if !public(p) && moved(c.Message, before, after) {
			continue
		}
		// Nobody outside implements an interface of an internal package.
		ok := c.Compatible || !public(p) && strings.HasSuffix(c.Message, ": added")
		changes = append(changes, change{p, c.Message, ok})
	}
	for _, text := range constraints(before, after) {
		changes = append(changes, change{p, text, false})
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.text, b.text) })
	return changes
}

// moved says that a change is only that a name is not reached any more, or newly. Where it is
// reached from that shows too, and there it counts.
func moved(message string, before, after *types.Package) bool {
	name, what, _ := strings.Cut(message, ": ")
	if strings.Contains(name, ".") { // a field or method
		return false
	}
	return what == "removed" && after.Scope().Lookup(name) == nil ||
		what == "added" && before.Scope().Lookup(name) == nil
}

// constraints lists changed constraints of type parameters, which apidiff does not look at.
func constraints(before, after *types.Package) []string {
	var changes []string
	for _, name := range before.Scope().Names() {
		then, now := before.Scope().Lookup(name), after.Scope().Lookup(name)
		if now == nil || !now.Exported() {
			continue
		}
		old, new := typeParams(then.Type()), typeParams(now.Type())
		for i := range min(old.Len(), new.Len()) {
			a := types.TypeString(old.At(i).Constraint(), nil)
			b := types.TypeString(new.At(i).Constraint(), nil)
			if a != b {
				text := fmt.Sprintf("%s: constraint changed from %s to %s", name, a, b)
				changes = append(changes, text)
			}
		}
	}
	return changes
}

func typeParams(t types.Type) *types.TypeParamList {
	switch t := t.(type) {
	case *types.Named:
		return t.TypeParams()
	case *types.Signature:
		return t.TypeParams()
	}
	return nil
}

// public says that users can import a package.
func public(p string) bool { return strings.HasPrefix(p, module+"/pkg/") }

func merge(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// loadOutside loads the packages of other modules and of the standard library that descriptions
// speak of.
func loadOutside(root string, all ...map[string]string) (map[string]*types.Package, error) {
	var paths []string
	for _, d := range all {
		for p, text := range d {
			file, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly)
			if err != nil {
				return nil, err
			}
			for _, spec := range file.Imports {
				target, _ := strconv.Unquote(spec.Path.Value)
				if !strings.HasPrefix(target, module+"/") {
					paths = append(paths, target)
				}
			}
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	outside := map[string]*types.Package{"unsafe": types.Unsafe}
	if len(paths) == 0 {
		return outside, nil
	}
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadTypes, Dir: root}, paths...)
	if err != nil {
		return nil, err
	}
	for _, p := range pkgs {
		if len(p.Errors) > 0 {
			return nil, p.Errors[0]
		}
		outside[p.PkgPath] = p.Types
	}
	return outside, nil
}

// checker type-checks the packages of one description, each after those it imports.
type checker struct {
	texts   map[string]string
	outside map[string]*types.Package
	done    map[string]*types.Package
}

func checkAll(texts map[string]string, outside map[string]*types.Package) (
	map[string]*types.Package, error,
) {
	c := &checker{texts, outside, map[string]*types.Package{}}
	for _, p := range slices.Sorted(maps.Keys(texts)) {
		if _, err := c.Import(p); err != nil {
			return nil, err
		}
	}
	return c.done, nil
}

// Import implements types.Importer.
func (c *checker) Import(p string) (*types.Package, error) {
	if pkg := c.done[p]; pkg != nil {
		return pkg, nil
	}
	text, ok := c.texts[p]
	if !ok {
		if pkg := c.outside[p]; pkg != nil {
			return pkg, nil
		}
		return nil, fmt.Errorf("package %s is not described", p)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, fileName(p), text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var first error
	conf := types.Config{
		Importer:         c,
		IgnoreFuncBodies: true,
		Error: func(err error) {
			// Soft errors are those of a missing body and the like.
			if te, ok := err.(types.Error); first == nil && !(ok && te.Soft) {
				first = err
			}
		},
	}
	pkg, _ := conf.Check(p, fset, []*ast.File{file}, nil)
	if first != nil {
		return nil, first
	}
	c.done[p] = pkg
	return pkg, nil
}
