package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// foreign is the prefix of the packages that no exported name outside internal/embedded mentions.
const foreign = "github.com/cockroachdb/"

// library loads the compiled form of every package of the module that has exported names, except
// internal/embedded and what is below it. Packages that do not compile are left out: the compiler
// reports them.
func library(root string) ([]*types.Package, error) {
	cmd := exec.Command("go", "list", "-e", "-export", "-deps",
		"-json=ImportPath,Name,Export,Module", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, stderr.String())
	}
	type listed struct {
		ImportPath, Name, Export string
		Module                   *struct{ Main bool }
	}
	exports := map[string]string{}
	var ours []string
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[p.ImportPath] = p.Export
		own := p.Module != nil && p.Module.Main && p.Name != "main" && p.Export != ""
		if own && !under(p.ImportPath, module+"/internal/embedded") {
			ours = append(ours, p.ImportPath)
		}
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(p string) (io.ReadCloser, error) {
		return os.Open(exports[p])
	})
	var pkgs []*types.Package
	for _, p := range ours {
		pkg, err := imp.Import(p)
		if err != nil {
			return nil, fmt.Errorf("export data of %s: %w", p, err)
		}
		pkgs = append(pkgs, pkg)
	}
	return pkgs, nil
}

// foreignTypes lists the exported names of a package through which a foreign type can be seen, as
// "name mentions type". Aliases and inferred types are followed, so a re-export does not hide one.
func foreignTypes(pkg *types.Package) []string {
	var found []string
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		w := &walker{home: pkg, seen: map[types.Type]bool{}}
		if tn, ok := obj.(*types.TypeName); ok {
			w.declared(tn)
		} else {
			w.walk(obj.Type())
		}
		slices.Sort(w.found)
		for _, typ := range slices.Compact(w.found) {
			found = append(found, fmt.Sprintf("%s.%s mentions %s", pkg.Path(), name, typ))
		}
	}
	return found
}

// walker follows what a user of a package can reach from one name: exported fields and methods,
// parameters, results, elements. It goes into named types of our module only when they are not
// exported by their own package, or when an alias makes them names of this one.
type walker struct {
	home  *types.Package
	seen  map[types.Type]bool
	found []string
}

// declared walks a type name: its methods and its underlying type.
func (w *walker) declared(tn *types.TypeName) {
	t := types.Unalias(tn.Type())
	named, ok := t.(*types.Named)
	if !ok {
		w.walk(t)
		return
	}
	w.note(named)
	w.open(named)
}

// open walks the inside of a named type.
func (w *walker) open(named *types.Named) {
	if w.seen[named] {
		return
	}
	w.seen[named] = true
	for m := range named.Methods() {
		if m.Exported() {
			w.walk(m.Type())
		}
	}
	w.walk(named.Underlying())
}

func (w *walker) note(named *types.Named) (isForeign bool) {
	pkg := named.Obj().Pkg()
	if pkg == nil || !strings.HasPrefix(pkg.Path(), foreign) {
		return false
	}
	w.found = append(w.found, pkg.Path()+"."+named.Obj().Name())
	return true
}

func (w *walker) walk(t types.Type) {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		for arg := range t.TypeArgs().Types() {
			w.walk(arg)
		}
		if !w.note(t) && t.Obj().Pkg() == w.home && !t.Obj().Exported() {
			w.open(t)
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				w.walk(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if m.Exported() {
				w.walk(m.Type())
			}
		}
	case *types.Signature:
		w.walk(t.Params())
		w.walk(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			w.walk(v.Type())
		}
	case *types.Map:
		w.walk(t.Key())
		w.walk(t.Elem())
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		w.walk(t.Elem())
	}
}
