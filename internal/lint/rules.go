package lint

import (
	"fmt"
	"slices"
)

// rule is one rule of the house.
type rule struct {
	name  string // as in lint:allow
	why   string // printed with the findings: what to do instead, or where it is written
	check func(*tree) []finding
}

// rules lists every rule over the source text. The rule on Pebble types needs types and has a test
// of its own (TestNoPebbleTypeInTheAPI).
func rules() []rule {
	return []rule{
		{"arrows", "the layers are in arrows.go; nothing points up or sideways", checkArrows},
		{"package-name", "name a package after the idea it holds", checkPackageName},
		{"package-files", "split the package by idea, or raise its entry in size.go", checkPackageFiles},
		{"exported-names", "a small front door: unexport, or raise the entry in size.go",
			checkExportedNames},
		{"file-length", "one idea per file, 80 to 300 lines", checkFileLength},
		{"median-length", "most files fit on a few screens", checkMedianLength},
		{"function-length", "a function fits on a screen", checkFunctionLength},
		{"line-width", "break the line", checkLineWidth},
		{"doc", "say what, units, limits, errors, concurrency, ownership, durability", checkDoc},
		{"comment-share", "a contract is about half comment", checkCommentShare},
		{"mutex-doc", "say what the lock guards and its place in the lock order", checkMutexDoc},
		{"clock", "below pkg/db time comes from the injected clock", checkClock},
		{"calls", "library code returns errors and leaves output to the caller", checkCalls},
		{"panic", "an error is returned; the process belongs to the caller", checkPanic},
		{"leftovers", "do it, open an issue, or write TODO(owner): reason", checkLeftovers},
		{"bool-param", "give the choice a named type, a field of Options, or two names", checkBoolParam},
		{"functional-options", "one Options struct, nil allowed", checkFunctionalOptions},
		{"context-first", "context.Context is the first parameter", checkContextFirst},
		{"fuzz", "write FuzzX(f *testing.F), as its neighbours are", checkFuzz},
		{"error-text", "lower-case start, no full stop: errors are put into sentences", checkErrorText},
	}
}

// run applies one rule and drops the findings that a waiver covers.
func run(r rule, t *tree) []finding {
	allows := map[string][]*allow{}
	for _, f := range t.files {
		allows[f.path] = f.allows
	}
	return slices.DeleteFunc(r.check(t), func(found finding) bool {
		for _, a := range allows[found.path] {
			inside := found.line == 0 || a.from <= found.line && found.line <= a.to
			if a.rule == r.name && a.reason != "" && inside {
				a.used = true
				return true
			}
		}
		return false
	})
}

// badWaivers reports waivers that name no rule, give no reason, or were not needed. It is called
// after all rules have run on the tree.
func badWaivers(t *tree) []finding {
	known := map[string]bool{}
	for _, r := range rules() {
		known[r.name] = true
	}
	var found []finding
	for _, f := range t.files {
		for _, a := range f.allows {
			var text string
			switch {
			case !known[a.rule]:
				text = fmt.Sprintf("lint:allow names no rule: %q", a.rule)
			case a.reason == "":
				text = fmt.Sprintf("lint:allow %s gives no reason", a.rule)
			case !a.used:
				text = fmt.Sprintf("lint:allow %s waives nothing, remove it", a.rule)
			default:
				continue
			}
			found = append(found, finding{path: f.path, line: a.from, text: text})
		}
	}
	return found
}
