package transcript

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// readSWEAgent reads the content of a .traj file. What was said before the agent's first step comes
// from the history, everything else from the trajectory: the rest of the history says it again.
func readSWEAgent(n *node, source string) (*Trajectory, error) {
	if n.kind != isObject {
		return nil, broken(n.at, "found %v, expected an object with a trajectory", n.kind)
	}
	t := &Trajectory{Format: SWEAgent, Agent: string(SWEAgent)}
	t.readHead(n)
	if t.Task == "" && strings.EqualFold(filepath.Ext(source), ".traj") {
		t.Task = strings.TrimSuffix(filepath.Base(source), filepath.Ext(source))
	}
	t.readInfo(n.get("info"))
	var err error
	if t.Fields, err = fieldsOf(n, "trajectory", "history"); err != nil {
		return nil, err
	}
	steps, err := arrayOf(n, "trajectory")
	if err != nil {
		return nil, err
	}
	if err := t.readPrompt(n, steps == nil); err != nil {
		return nil, err
	}
	if steps != nil {
		answers := answersOf(n.get("history"))
		for i := range steps.items {
			var answer *node
			if i < len(answers) {
				answer = answers[i]
			}
			if err := t.readStep(&steps.items[i], answer); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// answersOf are the agent's own answers in the history: one for every step, if none was left out.
func answersOf(history *node) (answers []*node) {
	if history == nil {
		return nil
	}
	for i := range history.items {
		if m := &history.items[i]; m.get("role").str() == "assistant" && !isDemo(m) {
			answers = append(answers, m)
		}
	}
	return answers
}

// isDemo says that a message of the history is part of a demonstration of how it is done.
func isDemo(m *node) bool {
	demo := m.get("is_demo")
	return demo != nil && demo.kind == isTrue
}

// arrayOf returns an array under a key; nil if there is none.
func arrayOf(n *node, key string) (*node, error) {
	a := n.get(key)
	if a != nil && a.kind != isArray {
		return nil, broken(a.at, "%s is %v, expected an array", key, a.kind)
	}
	return a, nil
}

// readInfo reads how it went in the end, and what it cost.
func (t *Trajectory) readInfo(info *node) {
	if info == nil {
		return
	}
	if exit := info.get("exit_status").word(); exit != "" {
		t.Exit = exit
	}
	if r, ok := info.first("reward", "resolved").float(); ok {
		t.Reward = &r
	}
	stats := info.get("model_stats")
	t.InputTokens += stats.get("tokens_sent").count()
	t.OutputTokens += stats.get("tokens_received").count()
	t.Cost += stats.first("instance_cost", "total_cost").cost()
}

// readPrompt reads the history up to the agent's first answer that is no demonstration; all of it
// if there are no steps.
func (t *Trajectory) readPrompt(n *node, whole bool) error {
	history, err := arrayOf(n, "history")
	if err != nil || history == nil {
		return err
	}
	for i := range history.items {
		m := &history.items[i]
		if !whole && m.get("role").str() == "assistant" && !isDemo(m) {
			return nil
		}
		e, err := readMessage(m)
		if err != nil {
			return err
		}
		if isDemo(m) { // what is shown in it did not happen
			e.Role, e.Type, e.Calls, e.Results = "demo", "message.demo", nil, nil
		}
		t.Entries = append(t.Entries, e)
	}
	return nil
}

// readStep reads one step: what the agent answered and asked for, and what came of it. Where the
// history has the same answer with a proper tool call, that tells the tool and its arguments; else
// the tool is the first word of the command.
func (t *Trajectory) readStep(n, answer *node) error {
	if n.kind != isObject {
		return broken(n.at, "found %v, expected a step", n.kind)
	}
	e := Entry{Type: "message.assistant", Role: "assistant"}
	if err := e.readCommon(n); err != nil {
		return err
	}
	said := n.first("response", "thought").str()
	var err error
	// query and messages are what the model was sent: all entries before this one, once more.
	if e.Payload, err = rolePayload(n, "assistant", said,
		"response", "observation", "query", "messages"); err != nil {
		return err
	}
	action := n.get("action").str()
	if answer != nil && answer.get("action").str() == action {
		if err := e.readCalls(answer); err != nil {
			return err
		}
	}
	tool, _, _ := strings.Cut(strings.TrimSpace(firstLine(action)), " ")
	if tool != "" && len(e.Calls) == 0 {
		e.Calls = []Call{{Tool: clip(tool), Arguments: inmem.String(action), Answer: -1}}
	}
	t.Entries = append(t.Entries, e)
	observation := n.get("observation")
	if observation == nil && len(e.Calls) == 0 {
		return nil
	}
	return t.readObservation(n, observation, e)
}

// readObservation appends what came of a step: the result of its call, or the environment's word to
// an agent that asked for nothing.
func (t *Trajectory) readObservation(n, observation *node, step Entry) (err error) {
	role := "user"
	if len(step.Calls) > 0 {
		role = "tool"
	}
	o := Entry{Type: "message." + role, Role: role, Time: step.Time, known: step.known}
	if o.Payload, err = rolePayload(&node{kind: isObject}, role, observation.str()); err != nil {
		return err
	}
	if len(step.Calls) > 0 {
		r := ToolResult{ID: step.Calls[0].ID, Tool: step.Calls[0].Tool,
			Content: inmem.String(observation.str())}
		r.Error, r.ErrorType = failureText(observation.str())
		if seconds, ok := n.get("execution_time").float(); ok && seconds > 0 && seconds < 1e9 {
			r.Took = time.Duration(seconds * float64(time.Second))
		}
		o.Results = []ToolResult{r}
	}
	t.Entries = append(t.Entries, o)
	return nil
}

// rolePayload is a message of a role, with the fields of a node but some.
func rolePayload(n *node, role, content string, but ...string) (inmem.Value, error) {
	entries := map[string]inmem.Value{}
	fields, err := n.storedMap(but...)
	if err != nil {
		return inmem.Value{}, err
	}
	for key, v := range fields.Entries() {
		entries[key] = v
	}
	entries["role"], entries["content"] = inmem.String(role), inmem.String(content)
	return codec.Map(entries)
}
