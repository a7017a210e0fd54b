// Command peers measures in-mem beside other embedded databases, in one run and in turns, and
// prints each row of the table of bars with what is met. It is a module of its own, so that nobody
// who uses the library gets these databases with it.
//
//	cd cmd/inmem-bench/peers && go run . -html page.html
//	cd cmd/inmem-bench/peers && go run . -workloads bars -json result.json
//	cd cmd/inmem-bench/peers && go run . -bars result.json
//	cd cmd/inmem-bench/peers && go run . -workloads vector/bare/384/20k
package main

import (
	"os"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/cli"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/rows"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/vectors"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/workloads"
)

// engines are the peers, in the order of the report.
func engines() []engine.Engine {
	return []engine.Engine{pebbleEngine(), badgerEngine(), bboltEngine(), buntEngine(), sqliteEngine()}
}

// indexes are the peers of the group vector.
func indexes() []vectors.Peer {
	return append([]vectors.Peer{coderPeer(), chromemPeer()}, nativePeers()...)
}

// comparison is what is measured when nothing else is asked for: all that the tables of bars name,
// what takes long included, the other rows, history, and one set of vectors.
const comparison = "bars,rows,ycsb,history,curves,footprint," +
	"vector/search/384/20k,vector/bare/384/20k"

func main() {
	systems := append(workloads.Systems(engines()...),
		rows.PlainScan(engine.ModuleVersion("github.com/cockroachdb/pebble/v2"), openPlain))
	for _, p := range indexes() {
		systems = append(systems, p.System())
	}
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr, cli.Program{
		Name: "peers", Systems: systems, Default: comparison,
	}))
}
