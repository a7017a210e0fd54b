//go:build unix

package crashtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func init() { children["limit"] = limitChild }

// limitChild commits under a limit on the size of files until a write fails, and then looks at what
// is left of its database.
func limitChild(k task) error {
	signal.Ignore(syscall.SIGXFSZ)
	db, err := inmem.Open(k.Dir, k.options())
	if err != nil {
		return err
	}
	run, err := db.BeginRun(background, inmem.RunOptions{ID: bankID(0)})
	if err == nil {
		err = db.Flush(background) // the run itself stays; what is batched may be lost
	}
	if err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: k.Limit, Max: k.Limit}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	value := inmem.Bytes(make([]byte, 10_000))
	acknowledged := 0
	for i := range 20_000 {
		version, err := run.KV().Put(background, fmt.Sprint(i), value)
		if err != nil {
			say(line{Is: isError, Recovery: err.Error()})
			if !errors.Is(err, inmem.ErrStorage) || errors.Is(err, inmem.ErrNoSpace) {
				return fmt.Errorf("not a storage error: %w", err)
			}
			break
		}
		acknowledged++
		say(line{Is: isDone, Op: fmt.Sprint(i), Version: version, Strict: k.Mode == inmem.Strict})
	}
	if _, err := run.KV().Put(background, "more", value); !errors.Is(err, inmem.ErrStorage) {
		return fmt.Errorf("the database is not read-only: %w", err)
	}
	for i := range acknowledged {
		if v, ok, err := run.KV().Get(background, fmt.Sprint(i)); err != nil || !ok || !v.Equal(value) {
			return fmt.Errorf("reads do not go on: %d %t: %w", i, ok, err)
		}
	}
	if err := db.Flush(background); !errors.Is(err, inmem.ErrStorage) {
		return fmt.Errorf("flush: %w", err)
	}
	if err := db.Close(); !errors.Is(err, inmem.ErrStorage) {
		return fmt.Errorf("close says that all is well: %w", err)
	}
	return nil
}

// Files that cannot grow: a real EFBIG from the system in the middle of a log or a table. The owner
// learns of it by an error, lives on, and nothing acknowledged as durable is lost (R105, R112).
func TestFaultFileSizeLimit(t *testing.T) {
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched} {
		for _, limit := range []uint64{100_000, 3 << 20} {
			t.Run(fmt.Sprintf("%v/%d", mode, limit), func(t *testing.T) {
				dir := t.TempDir()
				c := start(t, task{Name: "limit", Dir: dir, Mode: mode, Limit: limit})
				var acknowledged []line
				failed := ""
				c.lines(func(data []byte) {
					var n line
					require.NoError(t, json.Unmarshal(data, &n))
					if n.Is == isError {
						failed = n.Recovery
					} else {
						acknowledged = append(acknowledged, n)
					}
				})
				c.wait(t)
				require.Contains(t, failed, "file too large")
				db := open(t, dir, nil)
				run, err := db.Run(t.Context(), bankID(0))
				require.NoError(t, err)
				for _, n := range acknowledged {
					ok, err := run.KV().Exists(t.Context(), n.Op)
					require.NoError(t, err)
					require.Equal(t, n.Version <= db.Recovery().Version, ok, "a prefix")
					require.True(t, ok || !n.Strict, "%s was acknowledged as durable", n.Op)
				}
				put(t, run.KV(), "after", "all is well")
				require.NoError(t, db.Close())
			})
		}
	}
}
