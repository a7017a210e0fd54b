// Package page writes self-contained HTML pages: one file that needs no network and no script, can
// be read by a screen reader and printed, and is dark where the reader's system is.
//
// A page is built from elements, so nothing that comes from a database can become markup: text and
// attributes are escaped when they are written, and there is no way around it. As a second wall
// every page forbids itself scripts, and to load anything.
//
// Plots are inline SVG. Colour never stands alone: what failed is hatched as well, and every plot
// has a text that says what it shows, with a table of the same numbers beside it.
package page
