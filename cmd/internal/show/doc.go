// Package show writes for people: tables, bars, sizes, durations, colours, at most Width columns
// wide. Commands share it so that the same thing looks the same everywhere. Nothing in it knows the
// database.
package show

// Width is the number of columns that everything for people fits into.
const Width = 100
