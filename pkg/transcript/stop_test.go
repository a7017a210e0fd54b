package transcript_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// A malformed record ends the import, but not in the middle of the runs before it: these are
// written to their end, whatever the reader and the other writers are at.
func TestMalformedRecordLeavesNoRemnants(t *testing.T) {
	var long strings.Builder
	for i := range 60 {
		fmt.Fprintf(&long, `,{"role": "assistant", "content": "%d"}`, i)
	}
	text := `{"messages": [{"role": "user", "content": "a"}` + long.String() + "]}\n" +
		`{"messages": [{"content": "nobody says this"}]}` + "\n" +
		strings.Repeat(`{"messages": [{"role": "user", "content": "b"}]}`+"\n", 20)
	for i := range 20 {
		d := open(t, &inmem.Options{Durability: inmem.None})
		res, err := transcript.Import(t.Context(), d, source(fmt.Sprint(i), text),
			transcript.Options{Workers: 3})
		require.ErrorIs(t, err, transcript.ErrMalformed)
		require.NotErrorIs(t, err, inmem.ErrCanceled)
		require.GreaterOrEqual(t, res.Runs, 1, "the record before it")
		for info, err := range d.Runs().All(t.Context(), inmem.RunQuery{}) {
			require.NoError(t, err)
			require.False(t, info.Ended.IsZero(), "a run was left half written")
		}
	}
}
