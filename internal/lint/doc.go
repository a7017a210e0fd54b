// Package lint holds the rules of the house as tests.
//
// Every rule is a function over the parsed source tree (see rules in rules.go) and is run by
// TestHouse as a subtest of its own. TestEveryRuleCanFail runs each rule on planted source, once
// where it must complain and once where it must not, so a rule that cannot fail is itself a
// failure.
//
// A rule may be waived for one place by a comment on the line, on the line above, or in the doc
// comment of the declaration. The reason is mandatory, and a waiver that waives nothing is
// reported:
//
//	panic(msg) // lint:allow panic: the only purpose of this package
//
// Limits that differ per package stand in tables (arrows.go, size.go), never in waivers.
package lint
