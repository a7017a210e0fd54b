package inmem_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// A directory that a newer version wrote is refused by name, and one whose sentinel is damaged as
// damage; neither is changed, and the good file opens again (R125, R221: ErrFormat, ErrCorrupt).
func TestOpenRefusesNewerFormatsAndDamage(t *testing.T) {
	dir := t.TempDir()
	d, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	run, err := d.BeginRun(context.Background(), inmem.RunOptions{})
	require.NoError(t, err)
	_, err = run.KV().Put(context.Background(), "key", inmem.Int(1))
	require.NoError(t, err)
	require.NoError(t, d.Close())
	file := filepath.Join(dir, "INMEM")
	good, err := os.ReadFile(file)
	require.NoError(t, err)

	for _, c := range []struct {
		name, old, new string
		want           error
		says           string
	}{
		{"newer format", "format 1\n", "format 2\n", inmem.ErrFormat, "2"},
		{"unknown required feature", "required 0\n", "required 1048576\n", inmem.ErrFormat, "20"},
		{"unknown optional feature", "optional 0\n", "optional 1048576\n", nil, ""},
		{"line missing", "boot 0\n", "", inmem.ErrCorrupt, "INMEM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Contains(t, string(good), c.old)
			require.NoError(t, os.WriteFile(file, resealed(good, c.old, c.new), 0o644))
			d, err := inmem.Open(dir, nil)
			if c.want == nil {
				require.NoError(t, err)
				require.NoError(t, d.Close())
				return
			}
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
		})
	}
	require.NoError(t, os.WriteFile(file, append([]byte("x"), good...), 0o644))
	_, err = inmem.Open(dir, nil)
	require.ErrorIs(t, err, inmem.ErrCorrupt)
	require.ErrorContains(t, err, "INMEM")
}

// resealed replaces a line of the sentinel and makes the checksum right again.
func resealed(file []byte, old, new string) []byte {
	body, _, _ := strings.Cut(strings.Replace(string(file), old, new, 1), "crc32c ")
	sum := crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli))
	return fmt.Appendf(nil, "%scrc32c %08x\n", body, sum)
}
