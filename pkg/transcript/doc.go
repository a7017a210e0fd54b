// Package transcript reads transcripts of agents, makes them runs of a database, and answers
// questions about many runs. docs/transcripts.md has the tables of fields.
//
//	res, err := transcript.ImportFile(ctx, db, "trials.json", transcript.Options{})
//	tasks, err := transcript.Tasks(ctx, db, inmem.RunQuery{})
//	c, err := transcript.Compare(ctx, db, inmem.RunQuery{Tags: []string{"task_id=7"}}, ...)
//
// # Reading
//
// Three formats are read: OpenAIMessages, SWEAgent and JSONL; Detect tells which it is. A source is
// cut into records, and every record becomes a Trajectory. One record is in memory at a time, of at
// most ReadOptions.MaxRecord bytes, whatever the size of the source.
//
// JSON is read strictly: keys that come twice, text that is not UTF-8, halves of surrogate pairs,
// numbers that do not fit into 64 bits, and nesting below 100 levels are errors, since nobody could
// tell afterwards what the record had said. A *RecordError names source, record and offset. A
// record that is malformed inside leaves the others readable; where it cannot be told any more
// where the next one begins, the error is Fatal.
//
// A line of JSONL is an object with a type, and usually a run and a time. These types mean more
// than an event; every other line is an event of its type with the whole line as its payload:
//
//	run.start    task_id, trial, agent, model, tags: of the run
//	message      role, content, tool_calls...: as in OpenAIMessages (also without a type)
//	tool_call    id, name, arguments
//	tool_result  id, content (or result), error
//	run.end      reward, or status and error
//
// # What is in a run
//
// The record of the run has the tags source=, task_id=, trial=, reward= and those of the record and
// the Options; metadata with the same, and with record, offset, format, timing, name, model and
// exit. A run is Completed if the reward is at least Options.PassReward, Failed if it is less.
// Without a reward the way the agent ended counts: it is Failed unless it "submitted", was
// "completed", a "success" or "cancelled" (then it is Cancelled); without that it is Completed.
//
//	events   every message, and every other line: type message.<role>, or that of the line; the
//	         payload is the message with all its fields, known or not
//	spans    "agent", a custom span over all; under it a query for every message of the assistant
//	         (msg-000012), from the entry before to its own time, with model, tokens and cost; under
//	         that a tool_call for every call (msg-000012-call-000), to the answer, with
//	         gen_ai.tool.call.arguments and gen_ai.tool.call.result; open if nobody answered
//	cells    turns, tool_calls, last_tool, and status: starting, thinking, acting, waiting, and in
//	         the end the status of the run
//	keys     the other members of the record, each under its name: info, environment...
//
// Every entry is a commit, so that the run can be looked at, replayed, compared and forked as it
// was after each of them; the end comes with the last one. Events have the times of their commits,
// that is of the import. Spans have those of the record; where it has none they are made up, the
// same every time: see Timing.
//
// A tool has failed if its result says so (error, is_error, status), or if its text begins with
// "Error", with the name of an error as in "ValueError: ...", with the traceback of Python, or is a
// JSON object with an error.
//
// # Import
//
// Import can be repeated: the id of a run comes from the name of the source and the content of the
// record, so what is there is skipped, and what an import that was broken off left half written is
// deleted and written anew.
//
// # Questions
//
// Tasks, Tools, Slowest and Compare look at the runs of an inmem.RunQuery, imported or not: TaskOf
// says how a run tells its task. A run passed if it is completed, and failed if it is failed. What
// they return is in a defined order and marshals to JSON.
package transcript
