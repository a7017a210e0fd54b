package trace

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

// docs/tracing.md says what the code does: its tables name every key, attribute, type and index,
// and its examples are what comes out.
func TestTracingPage(t *testing.T) {
	data, err := os.ReadFile("../../../docs/tracing.md")
	require.NoError(t, err)
	page := string(data)
	require.Contains(t, page, "version "+SemanticConventions+"**")

	var stored []string
	for _, m := range regexp.MustCompile("(?m)^\\| `[A-Z]\\w+` \\| `([a-z_.]+)` \\|").
		FindAllStringSubmatch(page, -1) {
		stored = append(stored, m[1])
	}
	require.ElementsMatch(t, slices.Concat(textKeys, numberKeys,
		[]string{keyStart, keyEnd, keyTags, keyAttributes}), stored)
	for _, attribute := range append([]string{attrToolName}, owned...) {
		require.Regexp(t, "(?m)^\\|.*\\|.*\\| `"+regexp.QuoteMeta(attribute)+"`", page)
	}
	for _, typ := range spanTypes {
		require.Contains(t, page, "| `"+string(typ)+"` |")
		require.Regexp(t, "\\| `"+string(typ)+"` \\|.*\\| `"+(&Span{Type: typ}).OperationName()+"`",
			page)
	}
	for _, kind := range indexKinds {
		require.Contains(t, page, "| "+string(kind)+" | `\""+string(kind)+"\"`")
	}

	s := Span{Type: ToolCall, Name: "search", Parent: "plan", Start: at(1), End: at(3),
		Tags: []string{"slow"}, Model: "m-1"}
	form, err := s.encode()
	require.NoError(t, err)
	v, err := codec.DecodeValue(form)
	require.NoError(t, err)
	require.Contains(t, page, "```json\n"+v.String()+"\n```\n")

	took := func(d time.Duration) time.Time { return at(0).Add(d) }
	node := func(typ SpanType, name string, end time.Time) *Node {
		return &Node{Span: Span{Type: typ, Name: name, Start: at(0), End: end}}
	}
	root := node(Custom, "book a trip", took(2350*time.Millisecond))
	first := node(Decision, "flight first", took(1200*time.Millisecond))
	first.Span.InputTokens, first.Span.OutputTokens, first.Span.Cost = 900, 120, Dollar*45/10_000
	failed := node(ToolCall, "search flights", took(350*time.Millisecond))
	failed.Span.ErrorType, failed.Span.Error = "timeout", "no answer in 350ms"
	again := node(ToolCall, "search flights", took(210*time.Millisecond))
	again.Children = []*Node{node(Thought, "the early one is fine", took(15*time.Microsecond))}
	open := node(ToolCall, "book flight", time.Time{})
	root.Children = []*Node{first, failed, again, open}
	_, block, _ := strings.Cut(page, "```text\n")
	block, _, _ = strings.Cut(block, "```")
	require.Equal(t, root.String(), block)
}
