package cli

import "github.com/spf13/cobra"

// commands are all of them, in the order in which they are to be read.
func commands(e *env) []*cobra.Command {
	return []*cobra.Command{
		newRunsCommand(e),
		newShowCommand(e),
		newEventsCommand(e),
		newTraceCommand(e),
		newStateCommand(e),
		newGetCommand(e),
		newScanCommand(e),
		newHistoryCommand(e),
		newSearchCommand(e),
		newReplayCommand(e),
		newDiffCommand(e),

		newTasksCommand(e),
		newToolsCommand(e),
		newSlowestCommand(e),
		newCompareCommand(e),

		newBeginCommand(e),
		newForkCommand(e),
		newEndCommand(e),
		newPauseCommand(e),
		newResumeCommand(e),
		newTagCommand(e),
		newPutCommand(e),
		newDeleteCommand(e),
		newDeleteRunCommand(e),

		newExportCommand(e),
		newImportCommand(e), // with transcripts under it

		newInitCommand(e),
		newCheckpointCommand(e),
		newRestoreCommand(e),
		newRetentionCommand(e),
		newVerifyCommand(e),
		newRepairCommand(e),
		newSalvageCommand(e),
		newStatsCommand(e),
		newToolCommand(e),
		newVersionCommand(e),
		newManualCommand(e),
	}
}
