package transcript

import (
	"strings"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// readOpenAI reads a record of chat messages: an array of them, or an object that holds one.
func readOpenAI(n *node) (*Trajectory, error) {
	t := &Trajectory{Format: OpenAIMessages}
	messages := n
	if n.kind == isObject {
		if messages = n.first("messages", "traj"); messages == nil {
			return nil, broken(n.at, "the record has neither messages nor traj")
		}
		t.readHead(n)
		var err error
		if t.Fields, err = fieldsOf(n, "messages", "traj", "task_id", "trial", "reward"); err != nil {
			return nil, err
		}
	}
	if messages.kind != isArray {
		return nil, broken(messages.at, "found %v, expected an array of messages", messages.kind)
	}
	t.Entries = make([]Entry, 0, len(messages.items))
	for i := range messages.items {
		e, err := readMessage(&messages.items[i])
		if err != nil {
			return nil, err
		}
		t.Entries = append(t.Entries, e)
	}
	return t, nil
}

// fieldsOf are the members of an object but some; Null if none is left.
func fieldsOf(n *node, but ...string) (inmem.Value, error) {
	v, err := n.storedMap(but...)
	if err != nil || v.Len() == 0 {
		return inmem.Null(), err
	}
	return v, nil
}

// readHead reads what an object says of the run as a whole.
func (t *Trajectory) readHead(n *node) {
	keep := func(into *string, keys ...string) {
		if text := n.first(keys...).word(); text != "" {
			*into = text
		}
	}
	keep(&t.Name, "run", "run_id", "id")
	keep(&t.Task, "task_id", "instance_id", "task")
	keep(&t.Trial, "trial", "attempt")
	keep(&t.Agent, "agent")
	keep(&t.Model, "model")
	keep(&t.Exit, "exit_status")
	if r, ok := n.first("reward", "success", "resolved").float(); ok {
		t.Reward = &r
	}
	if tags := n.get("tags"); tags != nil && tags.kind == isArray {
		for i := range tags.items {
			if tag := tags.items[i].word(); tag != "" {
				t.Tags = append(t.Tags, tag)
			}
		}
	}
	in, out, cost := usageOf(n)
	t.InputTokens += in
	t.OutputTokens += out
	t.Cost += cost
}

// usageOf reads what a message, or a record, used.
func usageOf(n *node) (in, out int64, cost inmem.Cost) {
	u := n.get("usage")
	in = u.first("input_tokens", "prompt_tokens").count()
	out = u.first("output_tokens", "completion_tokens").count()
	if cost = n.first("cost", "response_cost", "total_cost").cost(); cost == 0 {
		cost = u.first("cost", "total_cost").cost()
	}
	return in, out, cost
}

// readMessage reads one chat message.
func readMessage(n *node) (Entry, error) {
	if n.kind != isObject {
		return Entry{}, broken(n.at, "found %v, expected a message", n.kind)
	}
	role := n.get("role").str()
	if role == "" {
		return Entry{}, broken(n.at, "the message has no role")
	}
	e := Entry{Type: "message." + role, Role: role}
	if err := e.readCommon(n); err != nil {
		return Entry{}, err
	}
	if err := e.readCalls(n); err != nil {
		return Entry{}, err
	}
	return e, e.readResults(n)
}

// readCommon reads what an entry of any kind may tell.
func (e *Entry) readCommon(n *node) (err error) {
	e.Time, e.known = n.first("timestamp", "time", "created_at", "created").time()
	e.Model = n.get("model").str()
	e.InputTokens, e.OutputTokens, e.Cost = usageOf(n)
	e.Payload, err = n.stored()
	return err
}

// readCalls reads the tool calls that a message asks for: tool_calls, the older function_call, and
// parts of type tool_use.
func (e *Entry) readCalls(n *node) error {
	calls := n.get("tool_calls")
	if calls != nil && calls.kind != isArray {
		return broken(calls.at, "tool_calls is %v, expected an array", calls.kind)
	}
	if calls != nil {
		for i := range calls.items {
			if err := e.addCall(&calls.items[i]); err != nil {
				return err
			}
		}
	}
	if call := n.get("function_call"); call != nil && n.get("role").str() == "assistant" {
		if err := e.addCall(call); err != nil {
			return err
		}
	}
	for _, part := range partsOf(n.get("content")) {
		if part.get("type").str() == "tool_use" {
			if err := e.addCall(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// addCall reads one call: {id, function: {name, arguments}}, or name and arguments without the box.
func (e *Entry) addCall(n *node) error {
	if n.kind != isObject {
		return broken(n.at, "found %v, expected a tool call", n.kind)
	}
	box := n.first("function", "custom")
	if box == nil || box.kind != isObject {
		box = n
	}
	c := Call{ID: n.first("id", "call_id").str(), Tool: box.get("name").str(), Answer: -1}
	if c.Tool == "" {
		return broken(n.at, "the tool call names no tool")
	}
	var err error
	if c.Arguments, err = argumentsOf(box.first("arguments", "input")); err != nil {
		return err
	}
	e.Calls = append(e.Calls, c)
	return nil
}

// argumentsOf reads the arguments of a call, which most write as a string that holds JSON. What a
// model wrote need not be JSON; then the text itself is what the tool was given.
func argumentsOf(n *node) (inmem.Value, error) {
	if n == nil {
		return inmem.Null(), nil
	}
	if n.kind == isString && strings.HasPrefix(strings.TrimLeft(n.text, space), "{") {
		if inner, err := parseJSON([]byte(n.text)); err == nil {
			return inner.stored()
		}
	}
	return n.stored()
}

// partsOf are the parts of a content that is an array of them.
func partsOf(content *node) (parts []*node) {
	if content != nil && content.kind == isArray {
		for i := range content.items {
			parts = append(parts, &content.items[i])
		}
	}
	return parts
}

// readResults reads what a message answers: one call if it is a tool's, and parts of type
// tool_result.
func (e *Entry) readResults(n *node) error {
	if e.Role == "tool" || e.Role == "function" {
		r := ToolResult{ID: n.get("tool_call_id").str(), Tool: n.get("name").str()}
		if ids := n.get("tool_call_ids"); r.ID == "" && ids != nil && len(ids.items) > 0 {
			r.ID = ids.items[0].str() // SWE-agent writes a list, of one
		}
		if err := r.read(n, n.get("content")); err != nil {
			return err
		}
		e.Results = append(e.Results, r)
	}
	for _, part := range partsOf(n.get("content")) {
		if part.get("type").str() != "tool_result" {
			continue
		}
		r := ToolResult{ID: part.get("tool_use_id").str()}
		if err := r.read(part, part.get("content")); err != nil {
			return err
		}
		e.Results = append(e.Results, r)
	}
	return nil
}

// read takes the content of a result, and whether it is a failure.
func (r *ToolResult) read(n, content *node) (err error) {
	if content != nil {
		if r.Content, err = content.stored(); err != nil {
			return err
		}
	}
	r.Error, r.ErrorType = failureOf(n, textOf(content))
	return nil
}

// textOf is the text of a content: the string itself, or that of its parts.
func textOf(content *node) string {
	if content == nil || content.kind != isArray {
		return content.str()
	}
	var texts []string
	for i := range content.items {
		part := &content.items[i]
		if text := part.first("text", "content").str() + part.str(); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}
