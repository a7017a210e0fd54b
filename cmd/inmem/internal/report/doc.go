// Package report makes pages of what the questions of pkg/transcript answer: a page for people who
// were not at the terminal. It only draws; what there is to know comes from the library.
package report
