package codec

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
)

// small is what decoding so many bytes may allocate: a fixed part, and so much for every byte.
func small(b []byte) uint64 { return 1<<18 + 256*uint64(len(b)) }

// same checks that what was decoded from b is written as b, but for fields that were passed over.
func same(t *testing.T, b, again []byte) {
	if len(again) < len(b) {
		return // a field that may be ignored; a reader gives back no more than it has read
	}
	require.Equal(t, b, again)
}

// The records of a bundle: what is taken for one is written in the same way, or shorter by what may
// be ignored; what was written decodes to itself.
func FuzzDecodeBundleHeader(f *testing.F) {
	f.Add(AppendBundleHeader(nil, BundleHeader{}))
	f.Add(AppendBundleHeader(nil, BundleHeader{Commits: 3, First: 7, Last: 1 << 60,
		StateHash: [32]byte{1, 31: 2}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := DecodeBundleHeader(b)
		if refused(t, err) {
			return
		}
		again := AppendBundleHeader(nil, h)
		same(t, b, again)
		back, err := DecodeBundleHeader(again)
		require.NoError(t, err)
		require.Equal(t, h, back)
	})
}

func FuzzDecodeBundleCommit(f *testing.F) {
	f.Add(AppendBundleCommit(nil, BundleCommit{Number: 1, Version: 9, Time: -1, Changes: 2}))
	f.Add(AppendBundleCommit(nil, BundleCommit{Number: MaxSequence, Version: 1<<64 - 1, Time: 1e18}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeBundleCommit(b)
		if refused(t, err) {
			return
		}
		again := AppendBundleCommit(nil, c)
		same(t, b, again)
		back, err := DecodeBundleCommit(again)
		require.NoError(t, err)
		require.Equal(t, c, back)
	})
}

func FuzzDecodeBundleChange(f *testing.F) {
	for _, c := range []BundleChange{
		{Op: ChangePut, Primitive: KV, Key: "goal"},
		{Op: ChangePut, Primitive: KV, Key: "", Expiry: -1},
		{Op: ChangeDelete, Primitive: Vectors, Key: VectorRowKey("a", "b")},
		{Op: ChangeAppend, Primitive: Events, Type: "tool_call"},
	} {
		f.Add(AppendBundleChange(nil, c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c BundleChange
		var err error
		alloctest.Within(t, small(b), func() { c, err = DecodeBundleChange(b) })
		if refused(t, err) {
			return
		}
		again := AppendBundleChange(nil, c)
		same(t, b, again)
		back, err := DecodeBundleChange(again)
		require.NoError(t, err)
		require.Equal(t, c, back)
	})
}

func FuzzDecodeBundleTrailer(f *testing.F) {
	f.Add(AppendBundleTrailer(nil, BundleTrailer{}))
	f.Add(AppendBundleTrailer(nil, BundleTrailer{Commits: 1, Changes: 1 << 63, Events: MaxSequence + 1,
		Head: EventDigest{1}, Digest: [32]byte{31: 9}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := DecodeBundleTrailer(b)
		if refused(t, err) {
			return
		}
		again := AppendBundleTrailer(nil, x)
		same(t, b, again)
		back, err := DecodeBundleTrailer(again)
		require.NoError(t, err)
		require.Equal(t, x, back)
	})
}

// A length: of all that begin with b, one at most is read, and it is what AppendLength writes.
func FuzzDecodeLength(f *testing.F) {
	for _, n := range []uint64{0, 23, 24, 255, 256, 1 << 16, 1 << 32, 1<<64 - 1} {
		f.Add(AppendLength(nil, n))
	}
	f.Add([]byte{0x18, 1})
	f.Add([]byte{0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := DecodeLength(b)
		if !ok {
			return
		}
		require.Equal(t, b, AppendLength(nil, n))
		require.Equal(t, len(b), LengthSize(b[0]))
	})
}

// isArgumentError: what a caller may be told about an argument.
func isArgumentError(err error) bool {
	return errors.Is(err, ErrInvalidArgument) || errors.Is(err, ErrTooLarge)
}
