package inmem_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// trials are the places in a run where a name can go.
func trials() []trial {
	return slices.Concat(keyTrials(), []trial{eventTrial(), cellTrial(), machineTrial()}, spanTrials(),
		[]trial{tagTrial(), metadataTrial()})
}

func keyTrials() []trial {
	inSpace := func(what, space string, size int) trial {
		return trial{what: what, rule: anyBytes(size), do: func(x *names, name string) error {
			_, err := keyspace(x.place, space).Put(x.ctx(), name, inmem.Bytes([]byte(name)))
			return err
		}, own: func(x *names, name string) []string {
			if space == "x:x" {
				return []string{x.of(`x:"x" %q`, name)}
			}
			return []string{x.of("kv %q", name)}
		}, back: func(x *names, name string) {
			k := keyspace(x.place, space)
			v, ok, err := k.Get(x.ctx(), name)
			require.NoError(x.t, err)
			require.True(x.t, ok && v == inmem.Bytes([]byte(name)))
			for key, err := range k.List(x.ctx(), inmem.ScanOptions{Prefix: name}) {
				require.NoError(x.t, err)
				require.True(x.t, strings.HasPrefix(key, name), "%q %q", name, key)
			}
			only := inmem.ScanOptions{Start: name, Limit: 1}
			first := lines(k.List(x.ctx(), only), func(key string) string { return key })
			require.Equal(x.t, name, first)
		}}
	}
	return []trial{
		inSpace("key", "kv", 8<<10),
		inSpace("key of an extension", "x:x", 8<<10-4),
		{what: "extension", rule: anyBytes(8<<10 - 4), do: func(x *names, name string) error {
			_, err := x.place.Extension(name).Put(x.ctx(), "k", inmem.Int(1))
			return err
		}, own: func(x *names, name string) []string {
			return []string{x.of("x:%q %q", name, "k")}
		}, back: func(x *names, name string) {
			k := x.place.Extension(name)
			v, ok, err := k.Get(x.ctx(), "k")
			require.NoError(x.t, err)
			require.True(x.t, ok && v == inmem.Int(1))
			n, err := k.Count(x.ctx(), inmem.ScanOptions{})
			require.NoError(x.t, err)
			if name != "x" {
				require.Equal(x.t, 1, n, "%q shows what another extension has", name)
			}
		}},
	}
}

func eventTrial() trial {
	return trial{what: "event type", rule: filled(utf8Text(1 << 10)),
		do: func(x *names, name string) error {
			a, err := x.place.Events().Append(x.ctx(), name, inmem.Null())
			x.events = append(x.events, a.Seq)
			return err
		}, own: func(x *names, name string) []string {
			own := []string{x.of("events of %q", name)}
			for _, seq := range x.events {
				own = append(own, x.of("event %d.", seq))
			}
			return own
		}, back: func(x *names, name string) {
			log := x.place.Events()
			head, ok, err := log.Head(x.ctx())
			require.NoError(x.t, err)
			require.True(x.t, ok && head.Type == name)
			n, err := log.CountType(x.ctx(), name)
			require.NoError(x.t, err)
			for e, err := range log.List(x.ctx(), inmem.EventOptions{Type: name}) {
				require.NoError(x.t, err)
				require.Equal(x.t, name, e.Type)
				n--
			}
			require.Zero(x.t, n)
		}}
}

func cellTrial() trial {
	return trial{what: "cell", rule: anyBytes(8 << 10), do: func(x *names, name string) error {
		_, err := x.place.Cell(name).Store(x.ctx(), inmem.Bytes([]byte(name)))
		return err
	}, own: func(x *names, name string) []string {
		return []string{x.of("cell %q", name)}
	}, back: func(x *names, name string) {
		st, err := x.place.Cell(name).Get(x.ctx())
		require.NoError(x.t, err)
		require.True(x.t, st.Exists && st.Value == inmem.Bytes([]byte(name)))
		for cell, err := range x.place.Cells().List(x.ctx(), name) {
			require.NoError(x.t, err)
			require.True(x.t, strings.HasPrefix(cell, name))
		}
	}}
}

// machineTrial names a state and an event. It leaves nothing behind.
func machineTrial() trial {
	return trial{what: "state", rule: filled(utf8Text(1 << 10)),
		do: func(x *names, name string) error {
			cell := x.place.Cell("machine\x00" + "of the trial")
			if _, err := cell.Define(x.ctx(), inmem.Machine{Initial: name,
				Transitions: []inmem.Transition{{From: name, Event: name, To: name + "!"}}[:one(
					len(name) < 1<<10)]}); err != nil {
				return err
			}
			if _, err := cell.Init(x.ctx(), inmem.String(name)); err != nil {
				return err
			}
			m, ok, err := cell.Machine(x.ctx())
			require.NoError(x.t, err)
			require.True(x.t, ok && m.Initial == name)
			if len(name) < 1<<10 {
				st, err := cell.Fire(x.ctx(), name)
				require.NoError(x.t, err)
				require.Equal(x.t, inmem.String(name+"!"), st.Value)
			}
			_, err = cell.Delete(x.ctx())
			return err
		}, own: func(*names, string) []string { return nil }}
}

func spanTrials() []trial {
	make := func(what string, r rule, fill func(s *inmem.Span, name string)) trial {
		return trial{what: what, rule: r, do: func(x *names, name string) error {
			s := inmem.Span{Type: inmem.SpanThought}
			fill(&s, name)
			if s.ID != "" { // the second time it has to be another one
				if _, ok, err := x.place.Traces().Get(x.ctx(), s.ID); ok || err != nil {
					return err
				}
			}
			id, err := x.place.Traces().Record(x.ctx(), s)
			if err != nil {
				return err
			}
			x.spans = append(x.spans, id)
			got, ok, err := x.place.Traces().Get(x.ctx(), id)
			require.NoError(x.t, err)
			require.True(x.t, ok)
			s.ID, s.Start, s.End = id, got.Start, got.End
			require.Equal(x.t, spanText(s), spanText(got))
			return nil
		}, own: func(x *names, name string) []string {
			own := []string{x.of("spans of thought"), x.of("spans tagged %q", name)}
			for _, id := range x.spans {
				own = append(own, x.of("span %q", id))
			}
			return own
		}, back: func(x *names, name string) {
			if what != "span tag" {
				return
			}
			n, err := x.place.Traces().Count(x.ctx(), inmem.SpanFilter{Tag: name})
			require.NoError(x.t, err)
			for s, err := range x.place.Traces().List(x.ctx(), inmem.SpanFilter{Tag: name}) {
				require.NoError(x.t, err)
				require.Equal(x.t, []string{name}, s.Tags)
				n--
			}
			require.Zero(x.t, n)
		}}
	}
	words := utf8Text(1 << 10)
	none := func(string) error { return inmem.ErrInvalidArgument }
	all := []trial{
		make("span", words, func(s *inmem.Span, name string) { s.ID = name }),
		make("span tag", filled(words), func(s *inmem.Span, n string) { s.Tags = []string{n} }),
		make("span name", words, func(s *inmem.Span, name string) { s.Name = name }),
		make("span words", words, func(s *inmem.Span, name string) {
			s.Operation, s.Provider, s.Model, s.ResponseModel = name, name, name, name
			s.ToolCallID, s.Agent, s.Conversation, s.ErrorType = name, name, name, name
		}),
		make("span type", none, func(s *inmem.Span, n string) { s.Type = inmem.SpanType(n) }),
	}
	all[4].back = nil
	return all
}

func tagTrial() trial {
	return trial{what: "run tag", onRecord: true, rule: filled(utf8Text(1 << 10)),
		do: func(x *names, name string) error {
			return x.record.SetTags(x.ctx(), name)
		}, own: func(x *names, name string) []string {
			return []string{"run " + x.target.ID(), fmt.Sprintf("runs tagged %q", name)}
		}, back: func(x *names, name string) {
			tags, err := x.record.Tags(x.ctx())
			require.NoError(x.t, err)
			require.Equal(x.t, []string{name}, tags)
		}}
}

func metadataTrial() trial {
	return trial{what: "metadata", onRecord: true, rule: utf8Text(1 << 20),
		do: func(x *names, name string) error {
			return x.record.SetMetadata(x.ctx(), inmem.String(name))
		}, own: func(x *names, _ string) []string {
			return []string{"run " + x.target.ID()}
		}, back: func(x *names, name string) {
			info, err := x.record.Info(x.ctx())
			require.NoError(x.t, err)
			require.Equal(x.t, inmem.String(name), info.Metadata)
		}}
}
