// Command inmem looks into in-mem databases, and works on them.
//
//	inmem runs                      which runs there are
//	inmem show latest               what one of them came to
//	inmem help                      everything else
//
// Where to read on: internal/cli, whose doc.go says how a command is made.
package main

import (
	"os"

	"github.com/inmem-db/inmem/cmd/inmem/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
