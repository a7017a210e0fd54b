package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// R211, R212: two forks of one run; the example says when and why they parted, and shows the state
// just before.
func TestTimeTravel(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, start(t.Context(), []string{"-dir", t.TempDir()}, &out))
	text := out.String()
	require.Contains(t, text,
		"They parted after 2 common events, the last one a tool_call (check_seats).")
	a, b, found := strings.Cut(text, "b just before")
	require.True(t, found)
	b, diff, found := strings.Cut(b, "\n\n")
	require.True(t, found)
	require.Contains(t, a, "  budget = 150\n")
	require.Contains(t, b, "  budget = 250\n")
	for _, side := range []string{a, b} {
		require.Contains(t, side, "phase choosing, 2 events")
		require.NotContains(t, side, "booked")
	}
	require.Contains(t, diff, "= #1 tool_call check_seats")
	require.Contains(t, diff, "~ key budget  150 → 250")
	require.Contains(t, diff, `~ /answer/flight  "TP935" → "LX2084"`)
	require.Contains(t, diff, `~ booked  "TP935" → "LX2084"`)
}
