package codec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys that are made of parts: what is taken for one is exactly what its maker writes.

func FuzzDecodeCommitKey(f *testing.F) {
	f.Add(AppendCommitKey(nil, 1))
	f.Add(AppendCommitKey(nil, 0))
	f.Add(AppendCommitKey(nil, 1<<64-1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := DecodeCommitKey(b); !refused(t, err) {
			require.NotZero(t, v)
			require.Equal(t, b, AppendCommitKey(nil, v))
			require.NoError(t, CheckKey(b))
		}
	})
}

func FuzzDecodeJournalUserKey(f *testing.F) {
	for _, part := range []int{0, 1, MaxJournalParts - 1} {
		key := AppendJournalKey(nil, 7, MaxSequence, part)
		f.Add(key[ScopePrefixLen : len(key)-1-VersionSuffixLen])
	}
	f.Add([]byte("00000000000g"))
	f.Add([]byte("000000000001.0000"))
	f.Fuzz(func(t *testing.T, user []byte) {
		number, part, err := DecodeJournalUserKey(user)
		if refused(t, err) {
			return
		}
		require.True(t, number <= MaxSequence && 0 <= part && part < MaxJournalParts)
		key := AppendJournalKey(nil, 7, number, part)
		require.Equal(t, user, key[ScopePrefixLen:len(key)-1-VersionSuffixLen])
		PatchVersion(key, 9)
		_, p, again, _, err := DecodeKey(key)
		require.NoError(t, err)
		require.Equal(t, Journal, p)
		require.Equal(t, user, again)
	})
}

func FuzzDecodeEventUserKey(f *testing.F) {
	f.Add(EventUserKey(0))
	f.Add(EventUserKey(MaxSequence))
	f.Add("00000000000G")
	f.Fuzz(func(t *testing.T, user string) {
		if seq, err := DecodeEventUserKey(user); !refused(t, err) {
			require.Equal(t, user, EventUserKey(seq))
		}
	})
}

func FuzzDecodeEventTypeKey(f *testing.F) {
	f.Add(EventTypeKey("tool_call", 7))
	f.Add(EventTypeKey("a\x00\xff", MaxSequence))
	f.Fuzz(func(t *testing.T, user string) {
		typ, seq, err := DecodeEventTypeKey(user)
		if refused(t, err) {
			return
		}
		require.Equal(t, user, EventTypeKey(typ, seq))
		require.Equal(t, user[:len(user)-sequenceDigits], EventTypePrefix(typ))
	})
}

func FuzzDecodeSharedKey(f *testing.F) {
	f.Add(SharedKey("acme", "desk", "bot"))
	f.Add(SharedKey("a\x00\xff", "", ""))
	f.Add("@")
	f.Fuzz(func(t *testing.T, user string) {
		if tenant, app, agent, err := DecodeSharedKey(user); !refused(t, err) {
			require.Equal(t, user, SharedKey(tenant, app, agent))
		}
	})
}

func FuzzDecodeGraveUserKey(f *testing.F) {
	f.Add(GraveUserKey(1))
	f.Add(GraveUserKey(MaxScope))
	f.Add("0000000000")
	f.Fuzz(func(t *testing.T, user string) {
		if s, err := DecodeGraveUserKey(user); !refused(t, err) {
			require.Equal(t, user, GraveUserKey(s))
		}
	})
}

func FuzzParseStatus(f *testing.F) {
	for s := Active; s.Valid(); s++ {
		f.Add(s.String())
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, err := ParseStatus(name)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalidArgument)
			return
		}
		require.Equal(t, name, s.String())
	})
}

// One element at a time is what all at once are.
func FuzzNextElement(f *testing.F) {
	f.Add([]byte(Tuple(nil).AppendString("a\x00b").AppendInt(-300).AppendTime(-1).AppendBool(true)))
	f.Add([]byte(Tuple(nil).AppendNil().AppendBytes([]byte{0, 255})))
	f.Fuzz(func(t *testing.T, b []byte) {
		var list []Element
		var failed error
		for rest := b; len(rest) > 0 && failed == nil; {
			var e Element
			var next []byte
			if e, next, failed = NextElement(rest); failed == nil {
				require.Less(t, len(next), len(rest))
				list, rest = append(list, e), next
			}
		}
		all, err := DecodeTuple(b)
		require.Equal(t, refused(t, err), refused(t, failed))
		if err == nil {
			require.Equal(t, encodeTuple(all), encodeTuple(list))
			require.Len(t, list, len(all))
		}
	})
}
