package trace

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/codec"
)

// The stored form is what doc.go and docs/tracing.md say, and never changes.
func TestStoredForm(t *testing.T) {
	w := onModel(t.Context(), t)
	s := full(t)
	s.Parent = mustRecord(t, w.traces(), Span{ID: "p", Type: Thought, Start: at(1), End: at(1)})
	mustRecord(t, w.traces(), s)
	shown := func(id string) string {
		e, err := w.scope().Get(t.Context(), codec.Traces, id)
		require.NoError(t, err)
		v, err := codec.DecodeValue(e.Value)
		require.NoError(t, err)
		return v.String()
	}
	require.Equal(t, `{"type":"thought","end_unix_nano":1700000001000000000,`+
		`"start_unix_nano":1700000001000000000}`, shown("p"))
	require.Equal(t, strings.Join([]string{`{"name":"search"`, `"tags":["a","b"]`,
		`"type":"tool_call"`, `"error":"no answer"`, `"parent":"p"`,
		`"attributes":{"x":[1,null,{}],"gen_ai.request.temperature":0.5}`,
		`"error.type":"timeout"`, `"cost_nano_usd":56`, `"end_unix_nano":1700000003000000000`,
		`"start_unix_nano":1700000001000000000`, `"gen_ai.agent.name":"planner"`,
		`"gen_ai.tool.call.id":"call-7"`, `"gen_ai.provider.name":"anthropic"`,
		`"gen_ai.request.model":"m-1"`, `"gen_ai.operation.name":"execute_tool"`,
		`"gen_ai.response.model":"m-1-0901"`, `"gen_ai.conversation.id":"c-9"`,
		`"gen_ai.usage.input_tokens":12`, `"gen_ai.usage.output_tokens":34}`}, ","), shown("s1"))
	start := codec.Tuple{}.AppendTime(at(1).UnixNano())
	text := func(parts ...string) string {
		var k codec.Tuple
		for _, p := range parts {
			k = k.AppendString(p)
		}
		return string(k)
	}
	entries := func(id string, tuples ...string) (keys []string) {
		for _, k := range tuples {
			keys = append(keys, k+string(start.AppendString(id)))
		}
		return keys
	}
	require.ElementsMatch(t, append(
		entries("p", text("parent", ""), text("start"), text("type", "thought")),
		entries("s1", text("parent", "p"), text("start"), text("tag", "a"), text("tag", "b"),
			text("type", "tool_call"))...), keysOf(t, w.scope(), index))
}

// Entries that this version does not know are passed over, and stay when the span is changed; a
// type that it does not know is read as it is.
func TestUnknownEntriesStay(t *testing.T) {
	w := onModel(t.Context(), t)
	ctx := t.Context()
	later := map[string]any{"type": "dream", "start_unix_nano": int64(epoch), "links": []any{"x"},
		"a": map[string]any{"b": nil}}
	put := func(v any) {
		value, err := codec.ValueOf(v)
		require.NoError(t, err)
		data, err := codec.AppendValue(nil, value)
		require.NoError(t, err)
		_, err = w.scope().Put(ctx, codec.Traces, "later", data, 0)
		require.NoError(t, err)
	}
	put(later)
	_, err := w.traces().RebuildIndexes(ctx)
	require.NoError(t, err)
	s, ok, err := w.traces().Get(ctx, "later")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, SpanType("dream"), s.Type)
	require.True(t, s.IsOpen())
	require.NoError(t, w.traces().Update(ctx, "later", func(s *Span) error {
		s.Name = "n"
		return nil
	}))
	later["name"] = "n"
	want, err := codec.ValueOf(later)
	require.NoError(t, err)
	e, err := w.scope().Get(ctx, codec.Traces, "later")
	require.NoError(t, err)
	got, err := codec.DecodeValue(e.Value)
	require.NoError(t, err)
	require.Equal(t, want.String(), got.String())
	counts, err := w.traces().CountByType(ctx)
	require.NoError(t, err)
	require.Equal(t, map[SpanType]int{"dream": 1}, counts)

	for name, bad := range map[string]any{
		"no map": 1, "no start": map[string]any{"type": "query"},
		"start": map[string]any{"start_unix_nano": "x"},
		"name":  map[string]any{"start_unix_nano": 1, "name": 1},
		"cost":  map[string]any{"start_unix_nano": 1, "cost_nano_usd": 0.5},
		"tags":  map[string]any{"start_unix_nano": 1, "tags": "x"},
		"tag":   map[string]any{"start_unix_nano": 1, "tags": []any{1}},
		"attrs": map[string]any{"start_unix_nano": 1, "attributes": nil},
	} {
		put(bad)
		_, ok, err := w.traces().Get(ctx, "later")
		require.ErrorIs(t, err, codec.ErrCorrupt, name)
		require.False(t, ok)
		_, err = w.traces().RollupRun(ctx)
		require.ErrorIs(t, err, codec.ErrCorrupt, name)
		_, err = w.traces().VerifyIndexes(ctx)
		require.ErrorIs(t, err, codec.ErrCorrupt, name)
		_, err = w.traces().RebuildIndexes(ctx)
		require.ErrorIs(t, err, codec.ErrCorrupt, name)
		require.ErrorIs(t, w.traces().End(ctx, "later", SpanEnd{}), codec.ErrCorrupt, name)
	}
}

// What is encoded is decoded, and equal spans have equal bytes.
func TestEncodeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.StringN(0, 9, 40))
		number := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Min(0))
		s := Span{ID: "x", Type: rapid.SampledFrom(spanTypes).Draw(t, "type"),
			Start: time.Unix(0, rapid.Int64().Draw(t, "start")).UTC()}
		if rapid.Bool().Draw(t, "ended") {
			s.End = time.Unix(0, rapid.Int64Min(s.Start.UnixNano()).Draw(t, "end")).UTC()
		}
		for _, key := range textKeys[1:] {
			*s.text(key) = text.Draw(t, key)
		}
		for _, key := range numberKeys {
			*s.number(key) = number.Draw(t, key)
		}
		if rapid.Bool().Draw(t, "tagged") {
			s.Tags = []string{text.Draw(t, "tag")}
		}
		if rapid.Bool().Draw(t, "attributes") {
			s.Attributes = mapOf(t, text.Draw(t, "key"), codec.Float(rapid.Float64().Draw(t, "float")))
		}
		data, err := s.encode()
		require.NoError(t, err)
		again, err := s.encode()
		require.NoError(t, err)
		require.Equal(t, data, again)
		got, err := decode("x", data)
		require.NoError(t, err)
		require.Equal(t, s, got)
	})
}

// A span in the words of the conventions; what has a field is refused as an attribute.
func TestGenAI(t *testing.T) {
	s := full(t)
	s.Operation = ""
	v, err := s.GenAI()
	require.NoError(t, err)
	want, err := codec.ValueOf(map[string]any{
		"gen_ai.request.temperature": 0.5, "x": []any{int64(1), nil, map[string]any{}},
		"error.type": "timeout", "gen_ai.agent.name": "planner", "gen_ai.conversation.id": "c-9",
		"gen_ai.operation.name": "execute_tool", "gen_ai.provider.name": "anthropic",
		"gen_ai.request.model": "m-1", "gen_ai.response.model": "m-1-0901",
		"gen_ai.tool.call.id": "call-7", "gen_ai.tool.name": "search",
		"gen_ai.usage.input_tokens": int64(12), "gen_ai.usage.output_tokens": int64(34),
	})
	require.NoError(t, err)
	require.Equal(t, want.String(), v.String())

	v, err = (&Span{Type: Query, Name: "n", Operation: "chat", Error: "oops"}).GenAI()
	require.NoError(t, err)
	require.Equal(t, `{"error.type":"_OTHER","gen_ai.operation.name":"chat"}`, v.String())
	for _, typ := range spanTypes[1:] {
		require.Equal(t, string(typ), (&Span{Type: typ}).OperationName())
	}

	w := onModel(t.Context(), t)
	for _, key := range append([]string{attrToolName}, owned...) {
		_, err := w.traces().Record(t.Context(), Span{Type: ToolCall,
			Attributes: mapOf(t, key, codec.Int(1))})
		require.ErrorIs(t, err, codec.ErrInvalidArgument, key)
	}
	mustRecord(t, w.traces(), Span{Type: Decision, Attributes: mapOf(t, attrToolName, codec.Null())})
	mustRecord(t, w.traces(), Span{ID: "e", Type: Decision, Attributes: func() codec.Value {
		empty, err := codec.Map(nil)
		require.NoError(t, err)
		return empty
	}()})
	got, _, err := w.traces().Get(t.Context(), "e")
	require.NoError(t, err)
	require.True(t, got.Attributes.IsNull(), "an empty Map is none")
}
