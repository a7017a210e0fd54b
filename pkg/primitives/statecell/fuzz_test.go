package statecell

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// FuzzDecodeMachine: what is taken for a machine can be asked everything, and is written in the
// same form, but for fields that were passed over.
func FuzzDecodeMachine(f *testing.F) {
	for _, m := range []Machine{
		{Initial: "a"},
		{Initial: "draft", Terminal: []string{"done", "gone"}, Transitions: []Transition{
			{From: "draft", Event: "send", To: "sent", Guard: "signed"},
			{From: "sent", Event: "end", To: "done"}, {From: "sent", Event: "drop", To: "gone"}}},
	} {
		require.NoError(f, m.check())
		f.Add(storedForm(f, &m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Machine
		var err error
		alloctest.Within(t, 1<<18+256*uint64(len(data)), func() { m, err = DecodeMachine(data) })
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		if again := storedForm(t, &m); len(again) >= len(data) {
			require.Equal(t, data, again)
		}
		back, err := DecodeMachine(storedForm(t, &m))
		require.NoError(t, err)
		require.Equal(t, m, back)
		_ = m.check()
		_ = m.checkReach("a")
		for _, state := range m.states() {
			for _, event := range m.events(state) {
				require.NotNil(t, m.find(state, event))
			}
			m.next(state)
		}
	})
}

func storedForm(t testing.TB, m *Machine) []byte {
	v, err := m.value()
	require.NoError(t, err)
	data, err := codec.AppendValue(nil, v)
	require.NoError(t, err)
	return data
}
