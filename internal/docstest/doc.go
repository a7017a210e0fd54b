// Package docstest keeps the documents true. Its tests compile and run the programs in README.md
// and docs, run every command of docs/getting-started.md, docs/howto and
// docs/inspecting.md, and follow every link.
//
// Nothing is exported, and nothing but tests is here: the programs are built in modules of their
// own, as a reader of the documents would build them.
package docstest
