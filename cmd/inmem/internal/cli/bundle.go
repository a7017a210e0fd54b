package cli

import (
	"fmt"
	"io"

	"github.com/inmem-db/inmem/cmd/internal/show"
	"github.com/inmem-db/inmem/internal/terminal"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// bundleEnding is that of the names that export gives.
const bundleEnding = ".inmem"

// bundleDoc is what is in a bundle that was written or read.
type bundleDoc struct {
	Run       string     `json:"run"`
	File      string     `json:"file"`
	Status    string     `json:"status"`
	Commits   uint64     `json:"commits"`
	Changes   uint64     `json:"changes"`
	Events    uint64     `json:"events"`
	Size      int64      `json:"size"`
	StateHash inmem.Hash `json:"state_hash"`
	Digest    inmem.Hash `json:"digest"`
}

func docOfBundle(file string, b *inmem.BundleInfo) bundleDoc {
	return bundleDoc{
		Run: b.Run.ID, File: file, Status: b.Run.Status.String(), Commits: b.Run.Commits,
		Changes: b.Changes, Events: b.Events, Size: b.Size, StateHash: b.StateHash, Digest: b.Digest,
	}
}

// writeBundle writes a line about a bundle.
func writeBundle(w io.Writer, verb string, b *bundleDoc) error {
	_, err := fmt.Fprintf(w, "%s %s  %s, %s, %s  %s\n", verb, b.Run,
		show.Count(b.Commits, "commit"), show.Count(b.Events, "event"), show.Size(b.Size),
		terminal.Clean(b.File))
	return err
}
