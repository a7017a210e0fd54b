// Command inmem-bench measures in-mem by the workloads of the original system, by their names, and
// checks every result, so that a broken engine cannot look fast.
//
//	go run ./cmd/inmem-bench                             everything, under two minutes
//	go run ./cmd/inmem-bench -workloads txn_commit -mode strict -json out.json
//	go run ./cmd/inmem-bench soak -for 1h                an hour of work: does anything drift?
//	go run ./cmd/inmem-bench -h                          all flags, with examples
//
// Where to read on: internal/measure says what a workload is and runs it, internal/workloads holds
// one file per group of them, internal/report prints, internal/cli ties it together. A program of
// another module adds further systems (peers) by handing them to cli.Main beside ours.
package main

import (
	"os"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/cli"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/soak"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/workloads"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "soak" {
		os.Exit(soak.Main(os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr, cli.Program{
		Name: "inmem-bench", Systems: workloads.Systems(),
	}))
}
