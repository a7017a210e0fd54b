// Package rawlog is the limit of everything that commits to disk: the same bytes, written to a
// prepared file and synced.
package rawlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// Beside gives everything that syncs per operation a raw log of the same name: a file that is
// written before it is used, then one record and one sync after the other, by one goroutine.
func Beside(list []measure.Workload) []measure.Workload {
	var all []measure.Workload
	for _, w := range list {
		if w.Synced == 0 {
			continue
		}
		all = append(all, measure.Workload{
			Name: w.Name, Mode: "strict", Heavy: w.Heavy, Extra: w.Extra, Synced: w.Synced,
			Curve: w.Curve, Least: w.Least, Repeats: w.Repeats,
			About: fmt.Sprintf("write %d bytes to a prepared log and sync it", w.Synced),
			Setup: func(_ context.Context, dir string) (*measure.Trial, error) {
				return trial(dir, w.Synced)
			},
		})
	}
	return all
}

func trial(dir string, record int) (_ *measure.Trial, err error) {
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
