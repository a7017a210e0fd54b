package cli

import "github.com/spf13/cobra"

// commands are all of them, in the order in which they are to be read.
func commands(e *env) []*cobra.Command {
	return []*cobra.Command{
		newRunsCommand(e),
		newInitCommand(e),
		newVersionCommand(e),
	}
}
