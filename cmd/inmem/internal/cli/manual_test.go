package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// docs/cli.md is what the commands say of themselves.
func TestManualIsFresh(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "cli.md"))
	require.NoError(t, err)
	got := sampleLine(t, "", "manual")
	require.True(t, string(page) == got, "docs/cli.md is stale: make docs")
}

// Every command says what it does, with an example, and is in a group; every flag says what it
// means.
func TestCommandsExplainThemselves(t *testing.T) {
	e := &env{}
	root := newRoot(e)
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if !c.IsAvailableCommand() || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		path := c.CommandPath()
		require.NotEmpty(t, c.Short, path)
		require.NotRegexp(t, `\.$`, c.Short, path)
		if c.Runnable() {
			require.NotEmpty(t, c.Example, "%s has no example", path)
		}
		if c.Parent() == root {
			require.NotEmpty(t, c.GroupID, path)
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	for _, c := range root.Commands() {
		check(c)
	}
}
