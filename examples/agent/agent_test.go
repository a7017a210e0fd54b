package main

import (
	"bufio"
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// R234: the example works from beginning to end.
func TestAgent(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, start(t.Context(), []string{"-dir", t.TempDir(), "-pace", "1ms"}, &out))
	requireFinished(t, out.String())
	require.NotContains(t, out.String(), "interrupted")
}

// A process that is killed in the middle of a tool call is taken up where it was: nothing is done
// twice, and nothing is left out. Killed again and again it still ends.
func TestKilledAgentResumes(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "agent")
	build, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(build))
	dir := t.TempDir()
	const id = "01890000-0000-7000-8000-00000000a6e7"
	// What was said after the last sync may be lost with the process: wait for one more step to be
	// said, far longer than the sync takes, before the kill.
	for _, last := range []string{"plan: ", "call: search_flights", "look: 2 of 3"} {
		killAfter(t, exec.Command(binary, "-dir", dir, "-run", id, "-pace", "600ms"), last)
	}
	out, err := exec.Command(binary, "-dir", dir, "-run", id, "-pace", "1ms").CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "plan: ", "planned before the kill")
	requireFinished(t, string(out))

	again, err := exec.Command(binary, "-dir", dir, "-run", id).CombinedOutput()
	require.NoError(t, err, string(again))
	require.NotContains(t, string(again), "call: ", "finished is finished")
	requireFinished(t, string(again))
}

// killAfter lets a command run until it has said something, a moment longer, and kills it.
func killAfter(t *testing.T, c *exec.Cmd, said string) {
	t.Helper()
	pipe, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewScanner(pipe)
	found := false
	for !found && lines.Scan() {
		found = strings.HasPrefix(lines.Text(), said)
	}
	require.True(t, found, "never said %q", said)
	// The tool call that follows takes 600 ms; the sync came after 100.
	time.Sleep(300 * time.Millisecond)
	require.NoError(t, c.Process.Kill())
	require.Error(t, c.Wait())
}

// requireFinished looks at the report: all steps, each once.
func requireFinished(t *testing.T, out string) {
	t.Helper()
	require.Contains(t, out, "completed: 8 spans, 854 + 157 tokens")
	require.Contains(t, out, "; 7 events, chain valid: true")
	for _, name := range []string{"plan", "search_flights", "check_policy", "book"} {
		require.Len(t, regexp.MustCompile(`[├└]─ \w+ `+name+` `).FindAllString(out, -1), 1, name)
	}
	require.Len(t, regexp.MustCompile(`[├└]─ decision `).FindAllString(out, -1), 3)
}
