package trace

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/inmem-db/inmem/pkg/codec"
)

// SpanType says what a span stands for.
type SpanType string

// The types of spans. On-disk: never change a text.
const (
	// ToolCall is the execution of a tool; Name is the name of the tool.
	ToolCall SpanType = "tool_call"
	// Decision is a choice that was made.
	Decision SpanType = "decision"
	// Query is a question put to a model or a store.
	Query SpanType = "query"
	// Thought is a step of reasoning.
	Thought SpanType = "thought"
	// Error is something that went wrong and is no other span's failure.
	Error SpanType = "error"
	// Custom is anything else; Name says what and must not be empty.
	Custom SpanType = "custom"
)

var spanTypes = []SpanType{ToolCall, Decision, Query, Thought, Error, Custom}

// Limits of a span. What is over one is codec.ErrTooLarge.
const (
	// MaxNameSize is the greatest size in bytes of ids, names, tags, and of every other text but
	// Error.
	MaxNameSize = 1 << 10
	// MaxErrorSize is the greatest size of Span.Error in bytes.
	MaxErrorSize = 64 << 10
	// MaxTags is the greatest number of tags on one span.
	MaxTags = 100
)

// Cost is an amount of money in billionths of a US dollar: fine enough for the price of a single
// token, and exact when added up.
type Cost int64

// Dollar is one US dollar.
const Dollar Cost = 1e9

// Dollars converts an amount in US dollars, rounded to the nearest unit, halves away from zero.
// Errors: codec.ErrInvalidArgument for NaN, an amount below 0 or of 9.2 billion and more.
func Dollars(amount float64) (Cost, error) {
	units := math.Round(amount * float64(Dollar))
	if !(units >= 0 && units < math.MaxInt64) { // NaN is neither
		return 0, invalid("cost of %v dollars", amount)
	}
	return Cost(units), nil
}

// String is the amount in dollars with at least two decimals, such as $0.0012.
func (c Cost) String() string {
	sign, n := "", uint64(c)
	if c < 0 {
		sign, n = "-", -n
	}
	decimals := strings.TrimRight(fmt.Sprintf("%09d", n%uint64(Dollar)), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return sign + "$" + strconv.FormatUint(n/uint64(Dollar), 10) + "." + decimals
}

// Span is one step of a run. All texts must be UTF-8, and may otherwise hold anything. ID, Parent,
// Type and Start never change once the span is recorded.
//
// A span that was read shares its strings with the record that it was read from: to keep a small
// part for long, clone it.
type Span struct {
	// ID names the span, unique in the run. Empty when recording: a UUID of version 7 is made.
	ID string
	// Parent is the id of the span under which this one lies; empty for a root.
	Parent string
	// Type is one of the constants.
	Type SpanType
	// Name is the tool, for a ToolCall; else what the span is about. A Custom span has one.
	Name string
	// Start is when it began. Zero when recording: now.
	Start time.Time
	// End is when it ended, not before Start; zero as long as it is open.
	End time.Time
	// Tags are a set: they come back sorted, each once. None is empty.
	Tags []string

	// Error is what went wrong, ErrorType the class of it in few words, such as "timeout".
	Error, ErrorType string

	// Operation is what was done, in the words of the conventions, such as "chat"; empty for what
	// OperationName derives from the type.
	Operation string
	// Provider is who serves the model, such as "anthropic".
	Provider string
	// Model is the model that was asked for, ResponseModel the one that answered.
	Model, ResponseModel string
	// ToolCallID is the id that the model gave to the call of a tool.
	ToolCallID string
	// Agent is the name of the agent, Conversation the id of the session that the span belongs to.
	Agent, Conversation string

	// InputTokens and OutputTokens are what the span itself used, without its children, cached and
	// reasoning tokens included. Never negative.
	InputTokens, OutputTokens int64
	// Cost is what the span itself cost, without its children. Never negative.
	Cost Cost

	// Attributes is a Map of whatever else there is to say, or Null. The conventions have names for
	// much of it. What has a field here is refused: there is one place for it.
	Attributes codec.Value

	unknown codec.Value // Map of the entries that this version does not know, or Null
}

// IsOpen reports whether the span has not ended.
func (s *Span) IsOpen() bool { return s.End.IsZero() }

// Failed reports whether the span is of type Error or carries an error.
func (s *Span) Failed() bool { return s.Type == Error || s.Error != "" || s.ErrorType != "" }

// Duration is the time from start to end; 0 for an open span.
func (s *Span) Duration() time.Duration {
	if s.IsOpen() {
		return 0
	}
	return s.End.Sub(s.Start)
}

// checkNew refuses a span that can never be recorded.
func (s *Span) checkNew() error {
	if s.Parent != "" {
		if err := checkName("parent", s.Parent); err != nil {
			return err
		}
	}
	if !slices.Contains(spanTypes, s.Type) {
		return invalid("span type %q", clip(string(s.Type)))
	}
	return s.check()
}

// check refuses content that a span cannot have, and brings tags and attributes in their form.
func (s *Span) check() error {
	for _, text := range []struct{ what, text string }{
		{"name", s.Name}, {"error type", s.ErrorType}, {"operation", s.Operation},
		{"provider", s.Provider}, {"model", s.Model}, {"response model", s.ResponseModel},
		{"tool call id", s.ToolCallID}, {"agent", s.Agent}, {"conversation", s.Conversation},
	} {
		if text.text == "" {
			continue
		}
		if err := checkName(text.what, text.text); err != nil {
			return err
		}
	}
	switch {
	case s.Type == Custom && s.Name == "":
		return invalid("a custom span needs a name")
	case len(s.Error) > MaxErrorSize:
		return tooLarge("error", len(s.Error), MaxErrorSize)
	case !utf8.ValidString(s.Error):
		return invalid("error is not UTF-8")
	case s.InputTokens < 0 || s.OutputTokens < 0:
		return invalid("tokens %d in, %d out: negative", s.InputTokens, s.OutputTokens)
	case s.Cost < 0:
		return invalid("cost %v: negative", s.Cost)
	}
	if err := checkAttributes(s.Type, s.Attributes); err != nil {
		return err
	}
	if s.Attributes.Kind() == codec.KindMap && s.Attributes.Len() == 0 {
		s.Attributes = codec.Null()
	}
	return s.checkTags()
}

func (s *Span) checkTags() error {
	if len(s.Tags) == 0 {
		s.Tags = nil
		return nil
	}
	inForm := true
	for i, tag := range s.Tags {
		if err := checkName("tag", tag); err != nil {
			return err
		}
		inForm = inForm && (i == 0 || s.Tags[i-1] < tag)
	}
	if !inForm { // the caller's slice stays as it is
		s.Tags = slices.Compact(slices.Sorted(slices.Values(s.Tags)))
	}
	if len(s.Tags) > MaxTags {
		return tooLarge("tags", len(s.Tags), MaxTags)
	}
	return nil
}

// The times that fit into 64 bits of Unix nanoseconds.
var (
	firstTime = time.Unix(0, math.MinInt64).UTC()
	lastTime  = time.Unix(0, math.MaxInt64).UTC()
)

// checkTimes refuses times that cannot be stored or run backwards.
func (s *Span) checkTimes() error {
	for _, t := range []time.Time{s.Start, s.End} {
		if !t.IsZero() && (t.Before(firstTime) || t.After(lastTime)) {
			return invalid("time %v, must be between %v and %v", t, firstTime, lastTime)
		}
	}
	if !s.IsOpen() && s.End.Before(s.Start) {
		return invalid("end %v is before start %v", s.End, s.Start)
	}
	return nil
}

// checkName holds a text that must not be empty against the limits.
func checkName(what, text string) error {
	switch {
	case text == "":
		return invalid("empty %s", what)
	case len(text) > MaxNameSize:
		return tooLarge(what, len(text), MaxNameSize)
	case !utf8.ValidString(text):
		return invalid("%s %q is not UTF-8", what, clip(text))
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{codec.ErrInvalidArgument}, args...)...)
}

func tooLarge(what string, size, limit int) error {
	return &codec.SizeError{What: what, Size: size, Limit: limit}
}

// clip keeps foreign text in an error message short.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most]
	}
	return s
}
