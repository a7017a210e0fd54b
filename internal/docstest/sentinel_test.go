package docstest

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The sentinel file in docs/format.md has the lines of a real one, each with its row in the table,
// and a checksum that anybody can compute from the page.
func TestSentinelPage(t *testing.T) {
	_, page, found := strings.Cut(readPage(t, "docs/format.md"), "\n## Sentinel file\n")
	require.True(t, found)
	page, _, _ = strings.Cut(page, "\n## ")
	all, prose := blocks(page)
	require.Len(t, all, 1)
	example := all[0].text

	dir := t.TempDir()
	db, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(dir, "INMEM"))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.Equal(t, lineNames(string(data)), lineNames(example))
	for _, name := range lineNames(example)[1:] {
		require.Regexp(t, regexp.MustCompile("(?m)^\\| .*`"+name+"`.* \\| .* \\|$"), prose)
	}

	for _, text := range []string{string(data), example} {
		i := strings.LastIndex(text, "crc32c ")
		sum := crc32.Checksum([]byte(text[:i]), crc32.MakeTable(crc32.Castagnoli))
		require.Equal(t, fmt.Sprintf("crc32c %08x\n", sum), text[i:])
	}
}

// lineNames are the first words of all lines.
func lineNames(text string) (names []string) {
	for line := range strings.Lines(text) {
		names = append(names, strings.Fields(line)[0])
	}
	return names
}
