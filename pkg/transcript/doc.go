// Package transcript reads transcripts of agents, makes them runs, and answers questions about many
// runs.
package transcript
