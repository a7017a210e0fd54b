package crashtest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Commits that come all at once right after Open are all accepted. (The free space is not known
// before somebody has looked; who came meanwhile was told that the disk is full.)
func TestFirstCommitsAtOnce(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, nil)
	run := begin(t, db)
	require.NoError(t, db.Close())
	for range 20 {
		db := open(t, dir, nil)
		run, err := db.Run(t.Context(), run.ID())
		require.NoError(t, err)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range 16 {
			wg.Go(func() {
				<-begin
				if _, err := run.KV().Put(background, "k", inmem.Int(1)); err != nil {
					t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		require.NoError(t, db.Close())
	}
}
