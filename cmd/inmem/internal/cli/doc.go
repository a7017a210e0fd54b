// Package cli is the command line of inmem: a command per file, and what they have in common.
//
// # How a command is made
//
// A file x.go has a constructor, a line for it stands in the list of commands.go:
//
//	func newXCommand(e *env) *cobra.Command {
//		var limit int
//		c := &cobra.Command{
//			Use: "x RUN [flags]", GroupID: groupLook, Short: "...", Long: "...", Example: "...",
//			Args: exactly(1),
//			RunE: func(c *cobra.Command, args []string) error {
//				return e.look(c.Context(), func(ctx context.Context, db *inmem.DB) error {
//					doc, err := x(ctx, db, args[0], limit)
//					if err != nil {
//						return err
//					}
//					return e.print(doc, func(w io.Writer) error { return writeX(w, e.style(), doc) })
//				})
//			},
//		}
//		c.Flags().IntVar(&limit, "limit", 50, "the most lines")
//		return c
//	}
//
// The constructor only parses. What there is to know is asked by a function over the library, which
// returns a document; the document is what --json prints, and a pure function over a writer shows
// it to people. What a user of the library would want, too, belongs into the library.
//
// # What is there
//
//	e.look     opens the database for reading; e.change for writing. Neither makes one: a directory
//	           without a database is an error that says what to do. (e.create makes one.)
//	e.print    one document: JSON, or the text.
//	e.stream   many, one per line of JSON, or each as text, shown at once: for what follows.
//	e.run      a run by id, by the beginning of one, or "latest"; e.point also takes RUN@VERSION and
//	           RUN@TIME.
//	e.version  a version or a time ("10m" ago, a date, RFC 3339) as a version; e.time a time.
//	e.value    a value from the command line; brief and whole show one.
//	e.style    colours; e.terminal whether progress may be drawn on e.err.
//	usagef     an error of the user's: exit code 2. advise(err, ...) adds what to do next.
//	show       cmd/internal/show: tables, bars, durations, sizes, at most 100 columns.
//
// Fields of documents are in snake_case, times in RFC 3339 and UTC, durations in nanoseconds with
// names that end in _ns, versions numbers, values in the lossless form of codec.Value. A list that
// is empty is [], not null. Field names are a promise: scripts rest on them.
//
// Exit codes stand in exit.go, and in the help of the root command. Text from the database goes
// through show.Clean before it reaches a terminal (tables do that).
//
// Ctrl-C cancels the context of the command; the database is closed as ever. Output that nobody
// reads any more (inmem runs | head) ends the command quietly.
package cli
