package workloads

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// durability commits in mode strict, whatever the mode of the other workloads.
func (m *maker) durability() []measure.Workload {
	var all []measure.Workload
	for _, n := range []int{1, 8, 64} {
		about := fmt.Sprintf("%d goroutines put new keys of their own, every commit synced", n)
		if n == 1 {
			about = "put a new key, every commit synced"
		}
		all = append(all, m.writes(measure.Workload{
			Name: fmt.Sprintf("durability/strict_put/%d", n), About: about,
			Mode: modeStrict, Workers: n,
			Setup: m.open(modeStrict, load{}, m.insertTrial(n, 1, putDirect)),
		}, 1))
	}
	return all
}

// rawSync stands beside everything that syncs per operation: a log that is written before it is
// used, one record and one sync after the other, by one goroutine.
func rawSync(cfg measure.Config) []measure.Workload {
	var all []measure.Workload
	for _, w := range inMem(cfg) {
		if w.Synced == 0 {
			continue
		}
		all = append(all, measure.Workload{
			Name: w.Name, Mode: modeStrict, Heavy: w.Heavy, Extra: w.Extra, Synced: w.Synced,
			About: fmt.Sprintf("write %d bytes to a prepared log and sync it", w.Synced),
			Setup: func(_ context.Context, dir string) (*measure.Trial, error) {
				return rawTrial(dir, w.Synced)
			},
		})
	}
	return all
}

func rawTrial(dir string, record int) (_ *measure.Trial, err error) {
	const size = 16 << 20
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	// The blocks are written, not only reserved: else every sync writes the file's map as well.
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err = f.WriteAt(zeros, at); err != nil {
			return nil, err
		}
	}
	if err = f.Sync(); err != nil {
		return nil, err
	}
	b := make([]byte, record)
	slots := max(size/record, 1)
	return &measure.Trial{
		Op: func(_ context.Context, _, i int) error {
			b[0] = byte(i)
			if _, err := f.WriteAt(b, int64(i%slots)*int64(record)); err != nil {
				return err
			}
			return syncData(f)
		},
		Close: f.Close,
	}, nil
}
