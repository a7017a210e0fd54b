package transcript

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzParseFormat(f *testing.F) {
	for _, format := range Formats() {
		f.Add(string(format))
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, name string) {
		if format, err := ParseFormat(name); err == nil {
			require.Contains(t, append(Formats(), ""), format)
		} else {
			require.Empty(t, format)
		}
	})
}
