package vector

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

// FuzzParsePath: a path shows itself as it was written, and leads to no more than there is.
func FuzzParsePath(f *testing.F) {
	for _, text := range []string{"a", "a.b.*", "user.0", `a\.b`, "", ".", "a..b", `\`, "*", "00"} {
		f.Add(text, `{"a":[1,{"b":[2]}],"a.b":3,"00":4}`)
	}
	f.Fuzz(func(t *testing.T, text, data string) {
		p, err := ParsePath(text)
		if err != nil {
			require.True(t, errors.Is(err, codec.ErrInvalidArgument) ||
				errors.Is(err, codec.ErrTooLarge), "%v", err)
			return
		}
		require.Equal(t, text, p.String())
		again, err := ParsePath(p.String())
		require.NoError(t, err)
		require.Equal(t, p, again)
		var v codec.Value
		if v.UnmarshalJSON([]byte(data)) == nil {
			found := p.Values(v)
			require.LessOrEqual(t, len(found), len(data))
			if !strings.Contains(text, "*") {
				require.LessOrEqual(t, len(found), 1)
			}
		}
	})
}

func FuzzParseMetric(f *testing.F) {
	f.Add("cosine")
	f.Add("metric(0)")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMetric(text)
		if err != nil {
			require.ErrorIs(t, err, codec.ErrInvalidArgument)
			return
		}
		require.Equal(t, text, m.String())
	})
}
