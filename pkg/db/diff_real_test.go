package inmem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// trajectory is one trial of one task in the form of tau-bench.
type trajectory struct {
	Task   int     `json:"task_id"`
	Trial  int     `json:"trial"`
	Reward float64 `json:"reward"`
	Traj   []struct {
		Role      string      `json:"role"`
		Name      string      `json:"name"`
		Content   inmem.Value `json:"content"`
		CallID    string      `json:"tool_call_id"`
		ToolCalls []struct {
			ID       string `json:"id"`
			Function struct {
				Name      string `json:"name"`
				Arguments string `json:"arguments"`
			} `json:"function"`
		} `json:"tool_calls"`
	} `json:"traj"`
}

// realRuns are recorded runs of a real agent, if they are there: 50 tasks, four trials of each.
var realRuns = sync.OnceValues(func() (all []trajectory, err error) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "tau-bench",
		"gpt-4o-airline.json"))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	return all, err
})

// loadRealRun writes a trial of a task as a run: every message an event, every tool call a span
// with its arguments and result. Generated ids stay, as they would in a faithful import.
func (w *world) loadRealRun(task, trial int) *inmem.Run {
	w.t.Helper()
	all, err := realRuns()
	if errors.Is(err, fs.ErrNotExist) {
		w.t.Skip("no recorded runs here")
	}
	require.NoError(w.t, err)
	for i := range all {
		if all[i].Task == task && all[i].Trial == trial {
			return w.loadTrajectory(&all[i])
		}
	}
	require.FailNow(w.t, "no such trial")
	return nil
}

func (w *world) loadTrajectory(x *trajectory) *inmem.Run {
	t, ctx := w.t, w.ctx()
	metadata, err := inmem.ValueOf(map[string]any{"task": x.Task, "trial": x.Trial,
		"reward": x.Reward})
	require.NoError(t, err)
	run, err := w.BeginRun(ctx, inmem.RunOptions{Agent: "gpt-4o", Metadata: metadata})
	require.NoError(t, err)
	open := map[string]string{} // spans by the id of their call
	for _, m := range x.Traj {
		w.clock.advance(time.Second)
		_, err := run.Update(ctx, func(tx *inmem.Tx) error {
			payload := map[string]any{"role": m.Role, "content": m.Content}
			for _, c := range m.ToolCalls {
				var args inmem.Value
				require.NoError(t, json.Unmarshal([]byte(c.Function.Arguments), &args))
				payload["call"] = map[string]any{"id": c.ID, "name": c.Function.Name, "arguments": args}
				attributes, err := inmem.ValueOf(map[string]any{"arguments": args})
				if err != nil {
					return err
				}
				id, err := tx.Traces().Start(ctx, inmem.Span{Type: inmem.SpanToolCall,
					Name: c.Function.Name, ToolCallID: c.ID, Attributes: attributes})
				if err != nil {
					return err
				}
				open[c.ID] = id
			}
			if m.Role == "tool" {
				payload["tool"], payload["tool_call_id"] = m.Name, m.CallID
				result, err := inmem.ValueOf(map[string]any{"result": m.Content})
				if err != nil {
					return err
				}
				end := inmem.SpanEnd{Attributes: result}
				if s, _ := m.Content.AsString(); strings.HasPrefix(s, "Error") {
					end.Error = s
				}
				if err := tx.Traces().End(ctx, open[m.CallID], end); err != nil {
					return err
				}
				if _, err := inmem.Put(ctx, tx.KV(), "last/"+m.Name, m.Content); err != nil {
					return err
				}
			}
			v, err := inmem.ValueOf(payload)
			if err == nil {
				_, err = tx.Events().Append(ctx, "message", v)
			}
			return err
		})
		require.NoError(t, err)
	}
	status := inmem.Failed
	if x.Reward == 1 {
		status = inmem.Completed
	}
	require.NoError(t, run.End(ctx, status))
	return run
}

// said is a message as it is compared: without the ids that were made up for it.
func (x *trajectory) said(i int) string {
	m := x.Traj[i]
	text := m.Role + "|" + m.Name + "|" + m.Content.String()
	for _, c := range m.ToolCalls {
		text += "|" + c.Function.Name + c.Function.Arguments
	}
	return text
}

// Trials of one task part where a reader sees it: at the first message in other words, and at the
// first other call of a tool.
func TestDiffOfRealRuns(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	ignore := inmem.DiffOptions{Ignore: []string{"id", "tool_call_id"}}
	for task := range 10 {
		var runs [2]*inmem.Run
		var recorded [2]*trajectory
		for trial := range runs {
			runs[trial] = w.loadRealRun(task, trial)
			all, _ := realRuns()
			for i := range all {
				if all[i].Task == task && all[i].Trial == trial {
					recorded[trial] = &all[i]
				}
			}
		}
		d := w.diff(newest(runs[0]), newest(runs[1]), ignore)
		a, b := recorded[0], recorded[1]
		part := 0
		for part < min(len(a.Traj), len(b.Traj)) && a.said(part) == b.said(part) {
			part++
		}
		require.NotNil(t, d.Events.Divergence, "task %d", task)
		require.EqualValues(t, part, d.Events.Divergence.Position, "task %d", task)
		require.EqualValues(t, len(a.Traj), d.Events.A)
		require.EqualValues(t, len(b.Traj), d.Events.B)
		calls := [2][]string{a.calls(), b.calls()}
		part = 0
		for part < min(len(calls[0]), len(calls[1])) && calls[0][part] == calls[1][part] {
			part++
		}
		if s := d.Spans.Divergence; s == nil {
			require.Equal(t, calls[0], calls[1], "task %d", task)
		} else {
			require.LessOrEqual(t, s.Position, uint64(part), "task %d: results may differ", task)
		}
		require.EqualValues(t, len(calls[0]), d.Spans.A)
		if name := os.Getenv("INMEM_DIFF_PAGES"); name != "" {
			f, err := os.Create(filepath.Join(name, fmt.Sprintf("task%d.html", task)))
			require.NoError(t, err)
			require.NoError(t, d.WriteHTML(f))
			require.NoError(t, f.Close())
			t.Log("\n" + d.Text())
		}
	}
}

// calls are the tools that were called, with their arguments.
func (x *trajectory) calls() (list []string) {
	for _, m := range x.Traj {
		for _, c := range m.ToolCalls {
			var args inmem.Value
			if err := json.Unmarshal([]byte(c.Function.Arguments), &args); err == nil {
				list = append(list, c.Function.Name+args.String())
			}
		}
	}
	return list
}
