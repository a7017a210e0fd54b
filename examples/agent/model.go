package main

import (
	"fmt"
	"sort"
	"strings"
)

// call is a tool call that the model asks for.
type call struct {
	Tool string `json:"tool"`
	Args string `json:"args"`
}

// answer is what a language model gives back: what it says, and what that cost.
type answer struct {
	Text    string
	Calls   []call // of a plan
	Done    bool   // of a reflection
	In, Out int64  // tokens
}

// modelName and the prices stand for those of a real model.
const (
	modelName     = "local-planner-1"
	nanoPerInput  = 150 // billionths of a dollar for a token
	nanoPerOutput = 600
)

// plan is what the model answers to a goal.
func plan(goal string) answer {
	return answer{
		Text: "Look for flights, hold them against the travel policy, book the best.",
		Calls: []call{
			{"search_flights", goal}, {"check_policy", "max 150 EUR"}, {"book", "cheapest"},
		},
		In: tokens(goal) + 212, Out: 64,
	}
}

// reflect is what the model answers to the results so far: whether there is more to do.
func reflect(results map[string]string, steps int) answer {
	names := make([]string, 0, len(results))
	for name := range results {
		names = append(names, name)
	}
	sort.Strings(names)
	a := answer{In: 180, Out: 31, Done: len(results) == steps}
	for _, name := range names {
		a.In += tokens(results[name])
	}
	a.Text = fmt.Sprintf("%d of %d steps have an answer", len(results), steps)
	return a
}

func tokens(text string) int64 { return int64(len(strings.Fields(text))) * 4 / 3 }
