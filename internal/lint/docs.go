package lint

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// shareOf names the contract files and the share of their lines, blank ones left out, that are
// comment, in percent.
var shareOf = map[string]int{
	"internal/backend/backend.go": 45,
	"pkg/vector/index.go":         45,
}

func checkCommentShare(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		least, ok := shareOf[f.path]
		if !ok {
			continue
		}
		if share := commentShare(f); share < least {
			found = append(found, f.whole(fmt.Sprintf("%d %% comment, at least %d", share, least)))
		}
	}
	return found
}

func commentShare(f *file) int {
	comment := map[int]bool{}
	for _, group := range f.ast.Comments {
		for l := f.line(group.Pos()); l <= f.line(group.End()); l++ {
			comment[l] = true
		}
	}
	written, commented := 0, 0
	for i, line := range f.lines {
		if strings.TrimSpace(line) != "" {
			written++
			if comment[i+1] {
				commented++
			}
		}
	}
	return 100 * commented / max(written, 1)
}

// checkDoc wants a package comment in every package, and documentation for every exported name of
// libraries, methods of interfaces included; in the public packages the fields of structs too.
// A comment above the type may speak of its members, if it names them.
func checkDoc(t *tree) []finding {
	var found []finding
	dirs, files := t.packages()
	for _, dir := range dirs {
		documented := false
		for _, f := range files[dir] {
			documented = documented || written(f.ast.Doc)
			if f.inLibrary() && !f.generated() {
				found = append(found, undocumented(f)...)
			}
		}
		if !documented {
			found = append(found, files[dir][0].at(files[dir][0].ast.Name,
				"package %s has no package comment", files[dir][0].ast.Name))
		}
	}
	return found
}

// written says that one of the comments holds text, directives and waivers not counted.
func written(groups ...*ast.CommentGroup) bool {
	for _, g := range groups {
		if g == nil {
			continue
		}
		for line := range strings.Lines(g.Text()) {
			if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "lint:allow") {
				return true
			}
		}
	}
	return false
}

// selfEvident are methods whose contract is that of the standard library.
var selfEvident = []string{"Error", "Unwrap", "Is", "As", "String", "GoString", "LogValue"}

func undocumented(f *file) []finding {
	var found []finding
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			known := d.Recv != nil && slices.Contains(selfEvident, d.Name.Name)
			if d.Name.IsExported() && exportedReceiver(d) && !known && !written(d.Doc) {
				found = append(found, f.at(d, "exported %s is not documented", d.Name))
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					found = append(found, undocumentedValues(f, d, s)...)
				case *ast.TypeSpec:
					found = append(found, undocumentedType(f, d, s)...)
				}
			}
		}
	}
	return found
}

func undocumentedValues(f *file, d *ast.GenDecl, s *ast.ValueSpec) []finding {
	var found []finding
	text := commentsOf(f, d, d)
	for _, id := range s.Names {
		if id.IsExported() && !written(d.Doc, s.Doc, s.Comment) && !mentions(text, id.Name) {
			found = append(found, f.at(id, "exported %s is not documented", id))
		}
	}
	return found
}

func undocumentedType(f *file, d *ast.GenDecl, s *ast.TypeSpec) []finding {
	if !s.Name.IsExported() {
		return nil
	}
	var found []finding
	if !written(d.Doc, s.Doc, s.Comment) {
		found = append(found, f.at(s, "exported %s is not documented", s.Name))
	}
	var members *ast.FieldList
	switch t := s.Type.(type) {
	case *ast.StructType:
		if !f.within("pkg") {
			return found
		}
		members = t.Fields
	case *ast.InterfaceType:
		members = t.Methods
	default:
		return found
	}
	text := commentsOf(f, d, s)
	for _, m := range members.List {
		for _, id := range m.Names {
			if id.IsExported() && !written(m.Doc, m.Comment) && !mentions(text, id.Name) {
				found = append(found, f.at(id, "exported %s.%s is not documented", s.Name, id))
			}
		}
	}
	return found
}

// commentsOf returns all comment text of a node of a declaration: one comment may speak of several
// members as long as it names them.
func commentsOf(f *file, d *ast.GenDecl, n ast.Node) string {
	var text strings.Builder
	for _, g := range f.ast.Comments {
		doc := g == d.Doc
		if spec, ok := n.(*ast.TypeSpec); ok {
			doc = doc || g == spec.Doc
		}
		if doc || n.Pos() <= g.Pos() && g.Pos() <= n.End() {
			text.WriteString(g.Text())
		}
	}
	return text.String()
}

// mentions finds a name as a word of its own, in either case and also in the plural.
func mentions(text, name string) bool {
	return regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `s?\b`).MatchString(text)
}

// exportedReceiver says that a function is no method, or one of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// checkMutexDoc wants every lock to say what it guards. Any of these will do: a comment at the
// lock, a comment in or above its type that names it ("guarded by mu"), or a struct around the lock
// and what it guards (mu struct { sync.Mutex; ... }).
func checkMutexDoc(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					found = append(found, silentMutexes(f, s.Type, commentsOf(f, g, s))...)
				case *ast.ValueSpec:
					if isMutex(s.Type) && !written(g.Doc, s.Doc, s.Comment) {
						found = append(found, f.at(s, "lock %s without a comment", s.Names[0]))
					}
				}
			}
		}
	}
	return found
}

// silentMutexes walks a type; text holds all comments of the declaration around it.
func silentMutexes(f *file, typ ast.Expr, text string) []finding {
	st, ok := typ.(*ast.StructType)
	if !ok {
		return nil
	}
	var found []finding
	for _, field := range st.Fields.List {
		if inner, ok := field.Type.(*ast.StructType); ok {
			if inner.Fields.NumFields() > 1 {
				continue // the braces say what the lock guards
			}
			found = append(found, silentMutexes(f, inner, text)...)
		}
		if !isMutex(field.Type) || written(field.Doc, field.Comment) {
			continue
		}
		if len(field.Names) == 0 || !mentions(text, field.Names[0].Name) {
			found = append(found, f.at(field, "lock without a word on what it guards"))
		}
	}
	return found
}

func isMutex(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := s.X.(*ast.Ident)
	return ok && pkg.Name == "sync" && (s.Sel.Name == "Mutex" || s.Sel.Name == "RWMutex")
}
