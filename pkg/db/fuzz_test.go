package inmem

import (
	"encoding/json"
	"math"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// FuzzParseTarget: a key that is taken for one of a policy is the one under which it would be put.
func FuzzParseTarget(f *testing.F) {
	for _, t := range []RetentionTarget{{}, {Primitive: PrimitiveKV}, {Run: "x"},
		{Run: "0190c5d2-7a3e-7c11-9a77-0123456789ab", Primitive: PrimitiveCells}} {
		f.Add(t.key())
	}
	f.Add(policyPrefix)
	f.Add(policyPrefix + "x/\xff")
	f.Add(pinPrefix + "x")
	f.Fuzz(func(t *testing.T, key string) {
		target, err := parseTarget(key)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.Equal(t, key, target.key())
		require.True(t, takesPolicy(target.Primitive))
	})
}

// FuzzDecodeKeep: whatever lies in the place of a policy is one that could have been set.
func FuzzDecodeKeep(f *testing.F) {
	for _, k := range []storedKeep{{}, {Commits: 5, For: int64(time.Hour), Number: 7}, {Commits: -1},
		{For: math.MinInt64}, {Number: -1}} {
		b, err := encodeStored(k)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, number, err := decodeKeep(b)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.NoError(t, k.check())
		again, err := encodeKeep(k, number)
		require.NoError(t, err)
		back, same, err := decodeKeep(again)
		require.NoError(t, err)
		require.Equal(t, k, back)
		require.Equal(t, number, same)
		require.NotEmpty(t, k.String())
	})
}

// FuzzSplitExtension: what is taken for the key of an extension is put together again.
func FuzzSplitExtension(f *testing.F) {
	f.Add(string(codec.Tuple(nil).AppendString("memory").AppendString("x")))
	f.Add(string(codec.Tuple(nil).AppendString("memory")) + "plain")
	f.Add(string(codec.Tuple(nil).AppendInt(1)))
	f.Fuzz(func(t *testing.T, stored string) {
		name, key, err := splitExtension(stored)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		require.Equal(t, stored, string(codec.Tuple(nil).AppendString(name))+key)
	})
}

// FuzzHear: a line of any bytes from the other side of the inspection socket is heard or refused;
// no more than the longest line is kept of it, and what was told is heard.
func FuzzHear(f *testing.F) {
	f.Add([]byte(`{"inmem":1,"ask":"checkpoint"}`+"\n"), "checkpoint")
	f.Add([]byte(`{"inmem":1e9,"pid":"x"}`+"\n"), "a\nb")
	f.Add([]byte(strings.Repeat("[", 3000)+"\n"), "")
	f.Add([]byte(strings.Repeat(" ", inspectLine+1)), "")
	f.Fuzz(func(t *testing.T, line []byte, dir string) {
		alloctest.Within(t, 1<<20+16*uint64(len(line)), func() {
			for _, into := range []any{&question{}, &answer{}} {
				err := heard(t, into, func(c net.Conn) { _, _ = c.Write(line) })
				if i := strings.IndexByte(string(line), '\n'); i < 0 || i >= inspectLine {
					require.Error(t, err)
				} else if json.Valid(line[:i]) && err != nil {
					var wrong *json.UnmarshalTypeError
					require.ErrorAs(t, err, &wrong)
				}
			}
		})
		a := answer{Format: 1, Dir: strings.ToValidUTF8(dir, "?"), Version: 5}
		if data, err := json.Marshal(&a); err != nil || len(data) >= inspectLine {
			return
		}
		var back answer
		require.NoError(t, heard(t, &back, func(c net.Conn) { _ = tell(c, &a) }))
		require.Equal(t, a, back)
	})
}

// heard hears a line from one who speaks and then hangs up.
func heard(t *testing.T, into any, speak func(net.Conn)) error {
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		speak(there)
		_ = there.Close()
	}()
	err := hear(here, into)
	require.NoError(t, here.Close())
	<-done
	return err
}

// FuzzGlobQuote: a quoted path matches itself and nothing else.
func FuzzGlobQuote(f *testing.F) {
	f.Add("a[b]*?\\c", "abc")
	f.Add("db", "db")
	f.Fuzz(func(t *testing.T, path, other string) {
		match, err := filepath.Match(globQuote(path), path)
		require.NoError(t, err)
		require.True(t, match)
		match, err = filepath.Match(globQuote(path), other)
		require.NoError(t, err)
		require.Equal(t, path == other, match)
	})
}
