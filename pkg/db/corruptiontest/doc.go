// Package corruptiontest holds the tests that damage the files of a database, through the public
// API and on real files: every kind of file, in every region, in every way; and a log cut at every
// byte. What they demand is in docs/durability.md; the table of outcomes there is made by them.
//
// Long forms: INMEM_CORRUPTION=n, for n places in every region; make corruption.
package corruptiontest
