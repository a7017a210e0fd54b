package main

import (
	"bytes"
	"fmt"
	"go/format"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

const module = "github.com/inmem-db/inmem"

// fileName and importPath turn an import path into the name of its file, and back.
func fileName(p string) string {
	return strings.ReplaceAll(strings.TrimPrefix(p, module+"/"), "/", ".") + extension
}

func importPath(name string) string {
	return module + "/" + strings.ReplaceAll(strings.TrimSuffix(name, extension), ".", "/")
}

// describe writes down the API of the packages under pkg, by import path.
func describe(root string) (map[string]string, error) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadTypes, Dir: root}, "./pkg/...")
	if err != nil {
		return nil, err
	}
	d := &description{
		seen:    map[types.Object]bool{},
		decls:   map[*types.Package]map[string]string{},
		imports: map[*types.Package]map[string]bool{},
	}
	for _, p := range pkgs {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("%s does not compile: %w", p.PkgPath, p.Errors[0])
		}
		if p.Name != "main" && !strings.Contains(p.PkgPath, "/internal/") {
			d.addPackage(p.Types)
		}
	}
	if len(d.decls) == 0 {
		return nil, fmt.Errorf("no packages under %s/pkg", root)
	}
	return d.texts()
}

// description collects declarations by package and name, and what they import.
type description struct {
	seen    map[types.Object]bool
	decls   map[*types.Package]map[string]string
	imports map[*types.Package]map[string]bool // by path
}

func (d *description) addPackage(pkg *types.Package) {
	if d.decls[pkg] == nil {
		d.decls[pkg] = map[string]string{}
	}
	for _, name := range pkg.Scope().Names() {
		if obj := pkg.Scope().Lookup(name); obj.Exported() {
			d.add(obj)
		}
	}
}

// add describes one name of a package and, since writing a type adds the types it mentions,
// everything that can be reached from it.
func (d *description) add(obj types.Object) {
	if d.seen[obj] {
		return
	}
	d.seen[obj] = true
	pkg := obj.Pkg()
	if d.decls[pkg] == nil {
		d.decls[pkg] = map[string]string{}
	}
	var text string
	switch obj := obj.(type) {
	case *types.Const:
		typ := ""
		if b, ok := obj.Type().(*types.Basic); !ok || b.Info()&types.IsUntyped == 0 {
			typ = " " + d.typ(pkg, obj.Type())
		}
		text = fmt.Sprintf("const %s%s = %s", obj.Name(), typ, obj.Val().ExactString())
	case *types.Var:
		text = fmt.Sprintf("var %s %s", obj.Name(), d.typ(pkg, obj.Type()))
	case *types.Func:
		text = "func " + obj.Name() + d.signature(pkg, obj.Signature())
	case *types.TypeName:
		text = d.typeDecl(obj)
	}
	d.decls[pkg][obj.Name()] = text
}

// typ writes a type as it is written in a package, and adds what it mentions.
func (d *description) typ(pkg *types.Package, t types.Type) string {
	d.reach(t)
	return unnamed.ReplaceAllString(types.TypeString(t, d.qualifier(pkg)), "_")
}

// unnamed are the names that the compiler gives to blank parameters and results.
var unnamed = regexp.MustCompile(`#\w+`)

func (d *description) signature(pkg *types.Package, sig *types.Signature) string {
	d.reach(sig)
	var buf bytes.Buffer
	types.WriteSignature(&buf, sig, d.qualifier(pkg))
	return unnamed.ReplaceAllString(buf.String(), "_")
}

// qualifier names packages by a form of their path, which cannot collide (pkg/db is pkg_db), and
// notes them as imports.
func (d *description) qualifier(pkg *types.Package) types.Qualifier {
	return func(other *types.Package) string {
		if other == pkg {
			return ""
		}
		if d.imports[pkg] == nil {
			d.imports[pkg] = map[string]bool{}
		}
		d.imports[pkg][other.Path()] = true
		return localName(other.Path())
	}
}

func localName(p string) string {
	p = strings.TrimPrefix(p, module+"/")
	return strings.NewReplacer("/", "_", ".", "_", "-", "_").Replace(p)
}

func (d *description) typeDecl(tn *types.TypeName) string {
	pkg := tn.Pkg()
	if alias, ok := tn.Type().(*types.Alias); ok {
		params := d.typeParams(pkg, alias.TypeParams())
		return fmt.Sprintf("type %s%s = %s", tn.Name(), params, d.typ(pkg, alias.Rhs()))
	}
	named, ok := tn.Type().(*types.Named)
	if !ok {
		return fmt.Sprintf("type %s = %s", tn.Name(), d.typ(pkg, tn.Type()))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "type %s%s ", tn.Name(), d.typeParams(pkg, named.TypeParams()))
	switch t := named.Underlying().(type) {
	case *types.Struct:
		d.structType(&b, pkg, t)
	case *types.Interface:
		d.interfaceType(&b, pkg, t)
	default:
		b.WriteString(d.typ(pkg, t))
	}
	methods := slices.SortedFunc(named.Methods(), func(a, b *types.Func) int {
		return strings.Compare(a.Name(), b.Name())
	})
	for _, m := range methods {
		if m.Exported() {
			recv := types.TypeString(m.Signature().Recv().Type(), d.qualifier(pkg))
			fmt.Fprintf(&b, "\nfunc (%s) %s%s", recv, m.Name(), d.signature(pkg, m.Signature()))
		}
	}
	return b.String()
}

func (d *description) typeParams(pkg *types.Package, list *types.TypeParamList) string {
	if list.Len() == 0 {
		return ""
	}
	var params []string
	for p := range list.TypeParams() {
		params = append(params, p.Obj().Name()+" "+d.typ(pkg, p.Constraint()))
	}
	return "[" + strings.Join(params, ", ") + "]"
}

// structType writes the exported fields. What a user can tell about the others is whether there
// are any, and whether values can be compared.
func (d *description) structType(b *strings.Builder, pkg *types.Package, t *types.Struct) {
	b.WriteString("struct {\n")
	hidden, comparable := false, true
	for f := range t.Fields() {
		switch {
		case f.Embedded():
			fmt.Fprintf(b, "%s\n", d.typ(pkg, f.Type()))
		case f.Exported():
			fmt.Fprintf(b, "%s %s\n", f.Name(), d.typ(pkg, f.Type()))
		default:
			hidden = true
			comparable = comparable && types.Comparable(f.Type())
		}
	}
	switch {
	case !comparable:
		b.WriteString("hidden []struct{} // and not comparable\n")
	case hidden:
		b.WriteString("hidden struct{}\n")
	}
	b.WriteString("}")
}

func (d *description) interfaceType(b *strings.Builder, pkg *types.Package, t *types.Interface) {
	b.WriteString("interface {\n")
	for e := range t.EmbeddedTypes() {
		fmt.Fprintf(b, "%s\n", d.typ(pkg, e))
	}
	for m := range t.ExplicitMethods() {
		fmt.Fprintf(b, "%s%s\n", m.Name(), d.signature(pkg, m.Signature()))
	}
	b.WriteString("}")
}

// texts assembles one file per package, names in order.
func (d *description) texts() (map[string]string, error) {
	texts := map[string]string{}
	for pkg, decls := range d.decls {
		var body strings.Builder
		for _, name := range slices.Sorted(maps.Keys(decls)) {
			fmt.Fprintf(&body, "\n%s\n", decls[name])
		}
		var head strings.Builder
		fmt.Fprintf(&head, "// The recorded API of %s. Written by make api-update.\n\n", pkg.Path())
		fmt.Fprintf(&head, "package %s\n\n", pkg.Name())
		for _, p := range slices.Sorted(maps.Keys(d.imports[pkg])) {
			if localName(p) == p {
				fmt.Fprintf(&head, "import %q\n", p)
			} else {
				fmt.Fprintf(&head, "import %s %q\n", localName(p), p)
			}
		}
		text, err := format.Source([]byte(head.String() + body.String()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pkg.Path(), err)
		}
		texts[pkg.Path()] = string(text)
	}
	return texts, nil
}
