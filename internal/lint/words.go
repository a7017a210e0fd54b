package lint

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A leftover is a marker that starts a sentence of a comment. Somebody answers for it when a name
// follows in brackets and then a reason.
var (
	leftover = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	owned    = regexp.MustCompile(`\bTODO\([a-z][a-z0-9-]*\): \S`)
)

func checkLeftovers(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				first := f.line(c.Pos())
				for i, text := range strings.Split(c.Text, "\n") {
					if mark := leftover.FindString(text); mark != "" && !owned.MatchString(text) {
						found = append(found, finding{f.path, first + i, mark + " without owner and reason"})
					}
				}
			}
		}
	}
	return found
}

// checkErrorText looks at the literal texts given to errors.New and fmt.Errorf. A first word in
// capitals, digits or mixed case is a name (CBOR, WaitDurable) and may stand at the start.
func checkErrorText(t *tree) []finding {
	var found []finding
	for _, f := range t.files {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 || !makesError(call.Fun) {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, _ := strconv.Unquote(lit.Value)
			switch {
			case text == "":
				found = append(found, f.at(call, "error without text"))
			case sentenceCase(text):
				found = append(found, f.at(call, "error text begins with a capital: %q", text))
			case strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") ||
				strings.HasSuffix(text, "\n"):
				found = append(found, f.at(call, "error text ends like a sentence: %q", text))
			}
			return true
		})
	}
	return found
}

func makesError(fun ast.Expr) bool {
	s, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := s.X.(*ast.Ident)
	return ok && (pkg.Name == "errors" && s.Sel.Name == "New" ||
		pkg.Name == "fmt" && s.Sel.Name == "Errorf")
}

// sentenceCase says that a text begins with a capital followed by lower case only.
func sentenceCase(text string) bool {
	word := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
	first, size := utf8.DecodeRuneInString(text)
	if len(word) == 0 || !unicode.IsUpper(first) {
		return false
	}
	rest := word[0][size:]
	return rest == strings.ToLower(rest)
}
